"""The rungs on the host itself: Python and become, through a shell over SSH or here."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import paramiko

from .model import Become, Fell, Finding, HostTarget, Status

PYTHON, BECOME = "python", "become"
# Ansible's own order (ansible-config dump, INTERPRETER_PYTHON_FALLBACK).
DISCOVERY = (*(f"python3.{minor}" for minor in range(14, 7, -1)), "/usr/bin/python3", "python3")
MARK = "ROUNDSMAN-PROBE"
TELL = f'import sys; print("{MARK}", sys.executable, "%d.%d.%d" % sys.version_info[:3])'
OUTPUT_LIMIT = 65536


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def marked(self) -> list[str] | None:
        """The words after our mark; banners and profile scripts may have said other things before."""
        lines = [line for line in self.out.splitlines() if line.startswith(MARK)]
        return lines[-1].split()[1:] if lines else None

    @property
    def last_words(self) -> str:
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1] if lines else f"exit status {self.status}, no message"


class NoAnswerError(Exception):
    """The command did not end in time, or the connection broke."""


class Shell(Protocol):
    def run(self, command: str, stdin: str = "") -> Answer: ...


class LocalShell:
    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s

    def run(self, command: str, stdin: str = "") -> Answer:
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoAnswerError(f"no answer within {self.timeout_s:g} s") from None
        return Answer(done.returncode, done.stdout, done.stderr)


class SshShell:
    def __init__(self, transport: paramiko.Transport, timeout_s: float) -> None:
        self.transport, self.timeout_s = transport, timeout_s

    def run(self, command: str, stdin: str = "") -> Answer:
        deadline = time.monotonic() + self.timeout_s
        try:
            with self.transport.open_session(timeout=self.timeout_s) as channel:
                channel.settimeout(self.timeout_s)
                channel.exec_command(command)
                channel.sendall(stdin.encode())
                channel.shutdown_write()
                out = _read(channel, channel.recv, deadline)
                err = _read(channel, channel.recv_stderr, deadline)
                channel.status_event.wait(max(deadline - time.monotonic(), 0))
                return Answer(channel.exit_status, out, err)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self.timeout_s:g} s") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise NoAnswerError(f"the connection broke: {str(error) or type(error).__name__}") from None


def _read(channel: paramiko.Channel, receive: Callable[[int], bytes], deadline: float) -> str:
    """Everything up to the end of the stream, or to the limit; a host that drips does not hold us up."""
    data = b""
    while len(data) < OUTPUT_LIMIT:
        channel.settimeout(max(deadline - time.monotonic(), 0.01))
        chunk = receive(OUTPUT_LIMIT)
        if not chunk:
            break
        data += chunk
    return data.decode(errors="replace")


def examine(shell: Shell, target: HostTarget, floor: tuple[int, int]) -> Iterator[Finding]:
    yield check_python(shell, target, floor)
    if target.become:
        yield check_become(shell, target.become, target.user, target.unresolved)


def check_python(shell: Shell, target: HostTarget, floor: tuple[int, int]) -> Finding:
    """`floor` is the oldest Python that the controller's Ansible runs on hosts."""
    wanted = None if (target.python or "auto").startswith("auto") else target.python
    try:
        answer = shell.run(f"{wanted} -c {shlex.quote(TELL)}" if wanted else discovery_script())
    except NoAnswerError as error:
        raise _no_python(str(error), "log in by hand and look: uptime; dmesg | tail") from None
    told = answer.marked
    install = "on the host: apt-get install python3 (or dnf install python3)"
    name_it = f"{install}; then set ansible_python_interpreter to its path"
    if told == ["none"]:
        raise _no_python("no Python 3 found on the host", install)
    if told is None or len(told) < 2 or told[0] == "tries":
        found = f"{told[1]}, which Ansible would discover," if told else "the Python that Ansible would discover"
        which = f"{wanted} (ansible_python_interpreter)" if wanted else found
        raise _no_python(f"{which} does not run: {answer.last_words}", name_it)
    path, version = " ".join(told[:-1]), told[-1]
    if tuple(int(part) for part in version.split(".")[:2]) < floor:
        needed = ".".join(map(str, floor))
        raise _no_python(f"Python {version} at {path} is too old: {needed} or newer is needed", name_it)
    return Finding(PYTHON, Status.OK, f"Python {version} at {path}")


def _no_python(message: str, remedy: str) -> Fell:
    return Fell(Finding(PYTHON, Status.FAILED, message, remedy))


def discovery_script() -> str:
    """Runs the first that exists, as Ansible does, even where a later one would be better."""
    names = " ".join(DISCOVERY)
    script = (
        f"for p in {names}; do if f=$(command -v $p); then echo {MARK} tries $f; exec $p -c {shlex.quote(TELL)}; fi; "
        f"done; echo {MARK} none"
    )
    return f"/bin/sh -c {shlex.quote(script)}"


def become_command(become: Become) -> str | None:
    """Starts a shell as the other user, which is what Ansible does; None for a method that doctor does not know."""
    shell = f"/bin/sh -c {shlex.quote(f'echo {MARK} became')}"
    user, exe = shlex.quote(become.user), become.exe or become.method
    asking = "-S -p ''" if become.password is not None else "-n"
    commands = {
        "sudo": f"{exe} -H {asking} -u {user} {shell}",
        "doas": f"{exe} -n -u {user} {shell}",
        "su": f"{exe} {user} -c {shlex.quote(shell)}",
    }
    return commands.get(become.method)


def check_become(shell: Shell, become: Become, login: str | None, unresolved: tuple[str, ...]) -> Finding:
    """The password goes over stdin only. sudo's own words are the message."""
    command = become_command(become)
    secret = next((name for name in unresolved if "become_pass" in name), None)
    if login == become.user:
        return Finding(BECOME, Status.OK, f"logged in as {login} already")
    if command is None or secret or (become.password is not None and become.method != "sudo"):
        why = f"{secret} is not known here" if secret else f"doctor cannot try {become.method} with what it knows"
        return Finding(BECOME, Status.SKIPPED, why, "ansible -b -m ansible.builtin.ping HOST")
    try:
        answer = shell.run(command, f"{become.password}\n" if become.password is not None else "")
    except NoAnswerError as error:
        remedy = f"on the host: does {become.method} wait for a name server or LDAP?"
        raise Fell(Finding(BECOME, Status.FAILED, f"{become.method}: {error}", remedy)) from None
    if answer.marked == ["became"]:
        return Finding(BECOME, Status.OK, f"{become.method} to {become.user} works")
    message = f"{become.method} to {become.user}: {answer.last_words}"
    raise Fell(Finding(BECOME, Status.FAILED, message, _remedy(become, login)))


def _remedy(become: Become, login: str | None) -> str:
    rule = f"echo '{login or 'LOGIN'} ALL=({become.user}) NOPASSWD: ALL' > /etc/sudoers.d/roundsman"
    if become.method == "sudo":
        return f"give ansible_become_password (from a vault), or on the host as root: {rule} && visudo -c"
    return f"allow it in the configuration of {become.method}, or choose another ansible_become_method"
