"""How ssh would reach a host, asked of ssh itself (`ssh -G`), so that Include, Match and aliases hold here as well."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .known_hosts import SSH_PORT, Entry, name_of, parse
from .model import Fell, Finding, HostTarget, Status

RUNG = "ssh_config"
SSH_G_LIMIT_S = 10


@dataclass(frozen=True)
class Route:
    """Where and how to connect. `proxy_command` is a shell command; then ssh, not we, resolves and connects."""

    host: str
    port: int
    user: str
    key_alias: str | None
    known_hosts_files: tuple[str, ...]
    identity_files: tuple[str, ...]
    identities_only: bool
    agent: str
    proxy_command: str | None

    @property
    def key_name(self) -> str:
        return name_of(self.host, self.port, self.key_alias)

    @property
    def bare_name(self) -> str | None:
        return None if self.key_alias or self.port == SSH_PORT else self.host.lower()

    @property
    def writable_file(self) -> str:
        return self.known_hosts_files[0] if self.known_hosts_files else "~/.ssh/known_hosts"

    def known_hosts(self) -> list[Entry]:
        entries: list[Entry] = []
        for file in self.known_hosts_files:
            try:
                entries += parse(Path(file).expanduser().read_text(errors="replace"), file)
            except OSError:
                continue  # ssh, too, takes a file that it cannot read for empty
        return entries


def ssh_command(target: HostTarget) -> list[str]:
    """`ssh -G` with the arguments that Ansible's ssh connection would give; values of -o win over ssh's files."""
    command = ["ssh", "-G", *target.ssh_args]
    if target.port:
        command += ["-o", f"Port={target.port}"]
    if target.user:
        command += ["-o", f"User={target.user}"]
    if target.private_key_file:
        command += ["-o", f'IdentityFile="{Path(target.private_key_file).expanduser()}"']
    return [*command, "--", target.address or target.name]


def find_route(target: HostTarget) -> Route:
    """Raises Fell when ssh cannot make sense of its configuration, or is missing."""
    remedy = f"try it: {shlex.join(ssh_command(target))}"
    try:
        answer = subprocess.run(
            ssh_command(target),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SSH_G_LIMIT_S,
            check=False,
        )
    except FileNotFoundError:
        missing = "no ssh client here; Ansible needs it too"
        raise Fell(Finding(RUNG, Status.FAILED, missing, "apt-get install openssh-client")) from None
    except subprocess.TimeoutExpired:
        slow = f"ssh -G gave no answer within {SSH_G_LIMIT_S} s (a Match exec in its configuration?)"
        raise Fell(Finding(RUNG, Status.FAILED, slow, remedy)) from None
    if answer.returncode != 0:
        words = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise Fell(Finding(RUNG, Status.FAILED, f"ssh refuses its configuration: {words}", remedy))
    return route_of(answer.stdout, config_file(target.ssh_args))


def config_file(ssh_args: tuple[str, ...]) -> str | None:
    """The file of `-F`, which a jump must be given as well."""
    for index, arg in enumerate(ssh_args):
        if arg.startswith("-F"):
            return arg[2:] or (ssh_args[index + 1] if index + 1 < len(ssh_args) else None)
    return None


def route_of(printed: str, config: str | None = None) -> Route:
    """Reads what `ssh -G` printed: `key value` lines, keys in lower case, some keys repeated."""
    options: dict[str, list[str]] = {}
    for line in printed.splitlines():
        key, _, value = line.partition(" ")
        options.setdefault(key, []).append(value)
    single = {key: values[0] for key, values in options.items()}
    files = f"{single.get('userknownhostsfile', '')} {single.get('globalknownhostsfile', '')}".split()
    return Route(
        host=single["hostname"],
        port=int(single.get("port", SSH_PORT)),
        user=single.get("user", ""),
        key_alias=single.get("hostkeyalias"),
        known_hosts_files=tuple(f for f in files if f.lower() != "none"),
        identity_files=tuple(options.get("identityfile", ())),
        identities_only=single.get("identitiesonly") == "yes",
        agent=single.get("identityagent", "SSH_AUTH_SOCK"),
        proxy_command=proxy_of(single, config),
    )


def proxy_of(options: Mapping[str, str], config: str | None) -> str | None:
    """A jump is a proxy command as well: `ssh -W`, which checks the jump's own key and never asks."""
    host, port, user = options["hostname"], options.get("port", str(SSH_PORT)), options.get("user", "")
    command = options.get("proxycommand")
    if command and command.lower() != "none":
        for token, value in (("%h", host), ("%p", port), ("%r", user), ("%n", host)):
            command = command.replace(token, value)
        return command.replace("%%", "%")
    jumps = options.get("proxyjump", "none").split(",")
    if jumps == ["none"]:
        return None
    strict = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    before = ["-J", ",".join(jumps[:-1])] if jumps[:-1] else []
    file = ["-F", config] if config else []
    last = jumps[-1] if jumps[-1].startswith("ssh://") else f"ssh://{jumps[-1]}"
    return shlex.join(["ssh", *file, *strict, *before, "-W", f"[{host}]:{port}", last])
