"""The lower rungs: name resolution, TCP (or a proxy command), SSH banner. Sends nothing to the host."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .model import Fell, Finding, Status
from .route import Route

NAME, TCP, BANNER = "name", "tcp", "banner"
PEEK_BYTES = 16384  # a server may say things before its banner (RFC 4253, 4.2)
PEEK_PAUSE_S = 0.05
BANNER_LINE = re.compile(rb"^(SSH-[^\r\n]+)\r?\n", re.MULTILINE)


# OpenSSH 9.8 and newer says it instead of a banner to an address that failed before (sshd_config, PerSourcePenalties).
PENALTY = "Not allowed at this time"


def fall(rung: str, message: str, remedy: str) -> Fell:
    return Fell(Finding(rung, Status.FAILED, message, remedy))


def look_up(host: str, port: int, timeout_s: float) -> list[str]:
    """Addresses of the host. getaddrinfo has no time limit of its own: it runs in a thread that may be left behind."""
    found: list[str] = []
    failure: list[str] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))
        except (OSError, UnicodeError) as error:
            failure.append(getattr(error, "strerror", None) or str(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    if found:
        return found
    why = failure[0] if failure else f"no answer within {timeout_s:g} s"
    raise fall(NAME, f"{host} does not resolve: {why}", f"getent ahosts {host}; or set ansible_host in the inventory")


def connect(addresses: list[str], port: int, timeout_s: float) -> tuple[socket.socket, str]:
    """The first address that accepts, within one time limit for all of them."""
    deadline = time.monotonic() + timeout_s
    problems: dict[str, OSError] = {}
    for index, address in enumerate(addresses):
        share = max(deadline - time.monotonic(), 0.1) / (len(addresses) - index)
        try:
            return socket.create_connection((address, port), timeout=share), address
        except OSError as error:
            problems[address] = error
    message = "; ".join(f"{address} port {port}: {_words(error, timeout_s)}" for address, error in problems.items())
    refused = any(isinstance(error, ConnectionRefusedError) for error in problems.values())
    remedy = (
        "on the host's console: systemctl status ssh; ss -ltn; or correct ansible_port"
        if refused
        else f"is the host up, and does a firewall let us through? ping {addresses[0]}; traceroute {addresses[0]}"
    )
    raise fall(TCP, message, remedy)


def _words(error: OSError, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return (error.strerror or str(error)).lower()


@dataclass
class Proxied:
    """A connection through a proxy command; `errors` is what that command has said so far."""

    sock: socket.socket
    errors: Callable[[], str]
    close: Callable[[], None]


def through_proxy(command: str) -> Proxied:
    ours, theirs = socket.socketpair()
    folder = tempfile.TemporaryDirectory(prefix="roundsman-doctor-")
    said = Path(folder.name, "stderr")
    with theirs, said.open("wb") as stderr:
        # By a shell, as ssh_config(5) has it.
        shell = ["/bin/sh", "-c", f"exec {command}"]
        process = subprocess.Popen(shell, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=stderr)

    def errors() -> str:
        lines = said.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close() -> None:
        ours.close()
        process.kill()
        process.wait()
        folder.cleanup()

    return Proxied(ours, errors, close)


def await_banner(sock: socket.socket, route: Route, timeout_s: float, errors: Callable[[], str] = str) -> str:
    """The server's identification, left unread in the socket for whoever speaks SSH next."""
    deadline = time.monotonic() + timeout_s
    seen = b""
    while True:
        rest = deadline - time.monotonic()
        if rest <= 0:
            raise _no_banner(route, seen, f"within {timeout_s:g} s", errors())
        sock.settimeout(rest)
        try:
            peeked = sock.recv(PEEK_BYTES, socket.MSG_PEEK)
        except TimeoutError:
            continue
        except OSError as error:
            raise _no_banner(route, seen, f"({_words(error, timeout_s)})", errors()) from None
        if found := BANNER_LINE.search(peeked):
            return found.group(1).decode(errors="replace")
        if not peeked or _hung_up(sock):
            raise _no_banner(route, peeked, "before it closed the connection", errors())
        if len(peeked) == len(seen):
            time.sleep(PEEK_PAUSE_S)
        seen = peeked


def _hung_up(sock: socket.socket) -> bool:
    """A peek shows the same bytes again and again; only poll tells that no more will come."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def _no_banner(route: Route, seen: bytes, when: str, proxy_errors: str) -> Fell:
    where = f"port {route.port} of {route.host}"
    if route.proxy_command and proxy_errors:
        return fall(BANNER, f"the way through the proxy fails: {proxy_errors}", f"try it: {route.proxy_command}")
    if not seen:
        remedy = "on the host's console: journalctl -u ssh -n 20 (hung, MaxStartups, fail2ban, out of memory?)"
        return fall(BANNER, f"{where} gave no SSH banner {when}", remedy)
    first = seen.splitlines()[0][:80].decode(errors="replace")
    if first.startswith(PENALTY):
        message = f"the SSH server of {route.host} turns this address away for a while, after failures"
        return fall(BANNER, message, "wait some minutes; on the host's console: journalctl -u ssh -n 20")
    return fall(BANNER, f"{where} does not speak SSH; it says {first!r}", "correct ansible_port (or ansible_host)")
