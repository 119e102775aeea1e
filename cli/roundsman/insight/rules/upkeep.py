"""Upkeep: updates, reboots, the clock, and what uses up a host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from roundsman.insight.advice import (
    Advice,
    Ansible,
    HostEvidence,
    Urgency,
    is_amiss,
    items,
    number,
    up_to,
)
from roundsman.times import span
from roundsman.words import counted

# Names of packages only: no files, addresses, groups or releases.
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(:[a-z0-9]+)?")
OLD_LISTS = timedelta(days=7)


def security_updates_wait(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Packages have security updates: bring just these up to date."""
    for result in host.of_type("updates"):
        details = result.get("details") or {}
        packages = frozenset(name for name in details.get("security_packages") or [] if _is_package(name))
        if not packages:
            continue
        command = Ansible("apt", "name=LIST state=latest only_upgrade=true update_cache=true", listed=packages)
        if details.get("manager") == "dnf":
            command = Ansible("dnf", "name=* state=latest security=true")
        waiting = number(details, "security")
        yield Advice(host.host, Urgency.SOON, "", _updates, command, result["message"], waiting)


def _is_package(name: object) -> bool:
    return isinstance(name, str) and _PACKAGE.fullmatch(name) is not None


def package_lists_are_old(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Nobody knows of the newest updates: fetch the lists."""
    for result in host.of_type("updates"):
        age = items(result).get("lists_age")
        if age is not None and age.value > OLD_LISTS.total_seconds():
            dnf = (result.get("details") or {}).get("manager") == "dnf"
            command = Ansible("command", "dnf makecache") if dnf else Ansible("apt", "update_cache=true")
            yield Advice(host.host, Urgency.SOON, "", _lists, command, result["message"], age.value)


def reboot_is_pending(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Updates work after a reboot only: reboot, one host after the other."""
    for result in host.of_type("uptime"):
        pending = items(result).get("reboot_required")
        if pending is not None and pending.value:
            command = Ansible("reboot", one_by_one=True)
            yield Advice(host.host, Urgency.SOON, "", _reboot, command, result["message"])


def clock_runs_free(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Nothing keeps the clock right: have something do it."""
    for result in host.of_type("clock"):
        if is_amiss(result) and "nothing synchronises it" in result["message"]:
            command = Ansible("package", "name=chrony state=present")
            yield Advice(host.host, Urgency.SOON, "", _clock, command, result["message"])


def memory_is_short(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Memory or swap space runs out: see who has it."""
    command = Ansible("command", "ps -eo pid,user,rss,etime,comm --sort=-rss")
    yield from _used_up(host, ("memory", "swap"), command)


def processors_are_busy(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Processors are overloaded: see by whom."""
    command = Ansible("command", "ps -eo pid,user,pcpu,etime,comm --sort=-pcpu")
    yield from _used_up(host, ("cpu", "load"), command)


def _used_up(host: HostEvidence, types: Sequence[str], command: Ansible) -> Iterator[Advice]:
    """Once a host, by the worst of its checks."""
    amiss = [result for result in host.of_type(*types) if is_amiss(result) and result.get("value") is not None]
    amiss.sort(key=lambda result: result["status"] != "CRITICAL")
    for result in amiss[:1]:
        subject = result["type"]
        text = partial(_share if result["unit"] == "%" else _load, subject)
        yield Advice(host.host, Urgency.NOW, subject, text, command, result["message"], result["value"])


def _updates(counts: Sequence[float]) -> str:
    several = "" if len(counts) == 1 else " in all"
    return f"{counted(round(sum(counts)), 'security update')} to install{several}"


def _lists(ages_s: Sequence[float]) -> str:
    return f"package lists are {'' if len(ages_s) == 1 else 'up to '}{span(max(ages_s))} old"


def _reboot(_amounts: Sequence[float]) -> str:
    return "a reboot is pending"


def _clock(_amounts: Sequence[float]) -> str:
    return "nothing keeps the clock right"


def _share(what: str, shares: Sequence[float]) -> str:
    return f"{what} {up_to(shares)} % in use"


def _load(what: str, values: Sequence[float]) -> str:
    return f"{what} {'' if len(values) == 1 else 'up to '}{max(values):.1f}"
