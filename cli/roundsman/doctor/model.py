"""Words of the doctor: what is probed (target), and what was found (findings, report)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


WORST_FIRST = (Status.FAILED, Status.WARNING, Status.SKIPPED, Status.OK)


@dataclass(frozen=True)
class Finding:
    """What one rung of the ladder showed; `remedy` is what to type or do next."""

    rung: str
    status: Status
    message: str
    remedy: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        return {"rung": self.rung, "status": self.status.value, "message": self.message, "remedy": self.remedy}


def worst(findings: tuple[Finding, ...] | list[Finding]) -> Status:
    return next((status for status in WORST_FIRST if any(f.status is status for f in findings)), Status.OK)


@dataclass(frozen=True)
class HostReport:
    host: str
    findings: tuple[Finding, ...]
    duration_s: float

    @property
    def status(self) -> Status:
        return worst(self.findings)

    def to_dict(self) -> dict[str, object]:
        return {
            "host": self.host,
            "status": self.status.value,
            "findings": [finding.to_dict() for finding in self.findings],
            "duration_s": round(self.duration_s, 3),
        }


class Fell(Exception):  # noqa: N818 - a rung that does not hold is an outcome, not an error
    """Ends the climb at a rung that does not hold."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True)
class Become:
    method: str = "sudo"
    user: str = "root"
    exe: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HostTarget:
    """One host as the inventory describes it. None means: what ssh or Ansible would choose themselves.

    `unresolved` names variables whose value is not known here (a template, a vault); see `blocked`.
    """

    name: str
    connection: str = "ssh"
    address: str | None = None
    port: int | None = None
    user: str | None = None
    ssh_args: tuple[str, ...] = ()
    private_key_file: str | None = None
    password: str | None = field(default=None, repr=False)
    python: str | None = None
    become: Become | None = None
    unresolved: tuple[str, ...] = ()
    blocked: str | None = None


# Ansible's names for one setting, in its order of precedence (ansible-doc -t connection ssh; -t become sudo).
ALIASES: Mapping[str, tuple[str, ...]] = {
    "connection": ("ansible_connection",),
    "address": ("ansible_ssh_host", "ansible_host"),
    "port": ("ansible_ssh_port", "ansible_port"),
    "user": ("ansible_ssh_user", "ansible_user"),
    "password": ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    "private_key_file": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
    "ssh_args": ("ansible_ssh_args",),
    "common_args": ("ansible_ssh_common_args",),
    "extra_args": ("ansible_ssh_extra_args",),
    "python": ("ansible_python_interpreter",),
    "become": ("ansible_become",),
    "become_method": ("ansible_become_method",),
    "become_user": ("ansible_become_user",),
    "become_exe": ("ansible_become_exe",),
    "become_password": ("ansible_become_password", "ansible_become_pass"),
}
# Without these nobody knows which host to knock at, or as whom; the others only make the probe less exact.
DECISIVE = ("connection", "address", "port", "user", "ssh_args", "common_args", "extra_args")
BUILTIN_CONNECTIONS = {"smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh", "ssh": "ssh", "local": "local"}


def target_of(name: str, hostvars: Mapping[str, object], defaults: Mapping[str, object]) -> HostTarget:
    """The target that Ansible would connect to; `defaults` holds the same variable names and is overridden."""
    known: dict[str, str] = {}
    unresolved: list[str] = []
    blocked: str | None = None
    for setting, variables in ALIASES.items():
        variable, value = _first(variables, hostvars, defaults)
        if variable is None or value is None:
            continue
        if not _resolved(value):
            unresolved.append(variable)
            blocked = blocked or (variable if setting in DECISIVE else None)
            continue
        known[setting] = str(value).strip()
    try:
        port = int(known["port"]) if known.get("port") else None
        args = [shlex.split(known.get(key, "")) for key in ("ssh_args", "common_args", "extra_args")]
    except ValueError as error:
        return HostTarget(name, blocked=f"its connection variables ({error})")
    connection = known.get("connection", "ssh").removeprefix("ansible.builtin.")
    return HostTarget(
        name=name,
        connection=BUILTIN_CONNECTIONS.get(connection, connection),
        address=known.get("address"),
        port=port,
        user=known.get("user"),
        ssh_args=tuple(chain.from_iterable(args)),
        private_key_file=known.get("private_key_file"),
        password=known.get("password"),
        python=known.get("python"),
        become=_become_of(known),
        unresolved=tuple(unresolved),
        blocked=blocked,
    )


def _first(
    variables: tuple[str, ...], hostvars: Mapping[str, object], defaults: Mapping[str, object]
) -> tuple[str | None, object]:
    for values in (hostvars, defaults):
        for variable in variables:
            if variable in values:
                return variable, values[variable]
    return None, None


def _resolved(value: object) -> bool:
    """False for a template, and for `{"__ansible_vault": …}`, as ansible-inventory prints what it cannot open."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    return isinstance(value, int | float)


def _become_of(known: Mapping[str, str]) -> Become | None:
    if known.get("become", "").lower() not in {"true", "yes", "on", "1"}:
        return None
    return Become(
        method=known.get("become_method", "sudo").removeprefix("ansible.builtin."),
        user=known.get("become_user", "root"),
        exe=known.get("become_exe"),
        password=known.get("become_password"),
    )
