"""Climbs to one host, rung by rung, and stops at the first that does not hold."""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
from collections.abc import Callable, Iterator

import paramiko

from .auth import authenticate
from .known_hosts import Judgement, Key, Verdict, judge, known_kinds
from .model import Fell, Finding, HostTarget, Status
from .on_host import LocalShell, SshShell, examine
from .route import Route, find_route
from .wire import BANNER, NAME, TCP, await_banner, connect, fall, look_up, through_proxy

HOST_KEY = "host_key"
logging.getLogger("paramiko").addHandler(logging.NullHandler())  # or its tracebacks land on the terminal


def climb(target: HostTarget, timeout_s: float, floor: tuple[int, int]) -> Iterator[Finding]:
    """Findings from the lowest rung up; raises Fell with the last one. `timeout_s` holds for each rung."""
    if target.unresolved and not target.blocked:
        names = ", ".join(target.unresolved)
        message = f"{names}: a template or vault that doctor does not resolve; the probe goes on without"
        yield Finding("variables", Status.WARNING, message)
    if target.blocked:
        message = f"cannot tell how Ansible would connect: {target.blocked} is not known here (a template or vault)"
        yield Finding("variables", Status.WARNING, message, f"ansible -m ansible.builtin.ping {target.name}")
    elif target.connection == "local":
        yield from examine(LocalShell(timeout_s), target, floor)
    elif target.connection != "ssh":
        message = f"connection {target.connection}: doctor looks at ssh and local only"
        yield Finding("connection", Status.SKIPPED, message, f"ansible -m ansible.builtin.ping {target.name}")
    else:
        with contextlib.ExitStack() as stack:
            yield from _climb_ssh(target, timeout_s, floor, stack)


def _climb_ssh(
    target: HostTarget, timeout_s: float, floor: tuple[int, int], stack: contextlib.ExitStack
) -> Iterator[Finding]:
    route = find_route(target)
    errors: Callable[[], str] = str
    if route.proxy_command:
        proxied = through_proxy(route.proxy_command)
        stack.callback(proxied.close)
        sock, errors = proxied.sock, proxied.errors
        yield Finding(TCP, Status.SKIPPED, f"left to the proxy: {route.proxy_command}")
    else:
        addresses = look_up(route.host, route.port, timeout_s)
        yield Finding(NAME, Status.OK, f"{route.host} is {', '.join(addresses)}")
        sock, address = connect(addresses, route.port, timeout_s)
        stack.callback(sock.close)
        yield Finding(TCP, Status.OK, f"{address} port {route.port} is open")
    yield Finding(BANNER, Status.OK, await_banner(sock, route, timeout_s, errors))
    transport, offered = shake_hands(sock, route, timeout_s)
    stack.callback(transport.close)
    yield check_host_key(route, offered)
    yield authenticate(transport, target, route)
    yield from examine(SshShell(transport, timeout_s), target, floor)


def shake_hands(sock: socket.socket, route: Route, timeout_s: float) -> tuple[paramiko.Transport, Key]:
    """An encrypted, not yet authenticated connection, and the key with which the host proved itself."""
    sock.settimeout(timeout_s)
    try:
        transport = paramiko.Transport(sock)
    except (paramiko.SSHException, OSError) as error:
        raise _no_handshake(route, error) from None
    transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = timeout_s
    options = transport.get_security_options()
    kinds = known_kinds(route.known_hosts(), route.key_name)
    wanted = [k for kind in kinds for k in (("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))]
    offered_first = [k for k in wanted if k in options.key_types]
    options.key_types = tuple(dict.fromkeys([*offered_first, *options.key_types]))
    try:
        transport.start_client(timeout=timeout_s)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, OSError, EOFError) as error:
        transport.close()
        raise _no_handshake(route, error) from None
    return transport, Key(key.get_name(), key.asbytes())


def _no_handshake(route: Route, error: Exception) -> Fell:
    message = f"no key exchange with {route.host}: {str(error) or type(error).__name__}"
    return fall(HOST_KEY, message, f"see what ssh itself says: ssh -vv -p {route.port} {route.host}")


def check_host_key(route: Route, offered: Key) -> Finding:
    """Only a known key lets us go on: nothing secret goes to a host that has not proved itself."""
    judgement = judge(route.known_hosts(), route.key_name, offered, route.bare_name)
    if judgement.verdict is Verdict.KNOWN:
        return Finding(HOST_KEY, Status.OK, f"known: {offered.kind} {offered.fingerprint}")
    message, remedy = _key_words(route, offered, judgement)
    raise fall(HOST_KEY, message, remedy)


def _key_words(route: Route, offered: Key, judgement: Judgement) -> tuple[str, str]:
    name, shown = route.key_name, f"{offered.kind} {offered.fingerprint}"
    compare = (
        f"compare {offered.fingerprint} over a way you trust (on the host's console: "
        "for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done)"
    )
    learned = "; ".join(f"{e.key.kind} {e.key.fingerprint} ({e.file} line {e.line})" for e in judgement.entries)
    if judgement.verdict is Verdict.UNKNOWN:
        message = f"unknown host key: {name} offers {shown}; no credentials were sent"
        return message, f"{compare}; if it is the same: {learn_command(route, offered)}"
    if judgement.verdict is Verdict.CHANGED:
        message = f"HOST KEY CHANGED: {name} offers {shown}, known is {learned}; no credentials were sent"
        files = dict.fromkeys(e.file for e in judgement.entries)
        forget = " && ".join(f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(file)}" for file in files)
        remedy = f"find out why first: was the host set up anew, or does another machine answer? Then {compare}"
        return message, f"{remedy}; if it is the same: {forget} && {learn_command(route, offered)}"
    if judgement.verdict is Verdict.REVOKED:
        message = f"REVOKED host key: {name} offers {shown}, revoked by {learned}; no credentials were sent"
        return message, "give the host a new key (ssh-keygen -A after removing the old one), and make that one known"
    message = f"{name} is known by a certificate authority only, which doctor cannot judge; no credentials were sent"
    return message, f"ssh -o BatchMode=yes -p {route.port} {shlex.quote(route.host)} true"


def learn_command(route: Route, offered: Key) -> str:
    """ssh-keyscan where it reaches the host under its own name; it knows no proxy or alias, then the very line."""
    file = shlex.quote(route.writable_file)
    if route.proxy_command or route.key_alias:
        return f"echo {shlex.quote(f'{route.key_name} {offered.line}')} >> {file}"
    port = "" if route.port == 22 else f"-p {route.port} "
    kind = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(offered.kind, offered.kind.split("-")[0])
    return f"ssh-keyscan -t {kind} {port}{shlex.quote(route.host)} >> {file}"
