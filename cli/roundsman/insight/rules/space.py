"""Disks: what is full, what will be, and what would make room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from roundsman.insight.advice import (
    Advice,
    Ansible,
    HostEvidence,
    Result,
    Urgency,
    is_amiss,
    is_plain,
    items,
    number,
    up_to,
)
from roundsman.times import span
from roundsman.words import size

WORTH_CLEANING_BYTES = 1024**3
JOURNAL_TO_KEEP = "500M"
INODES = " inodes"
USED = " used"
NEARLY_FULL = 90.0
# Beyond that there is time for more history.
SOON = timedelta(days=30)
TODAY = timedelta(days=1)


def filesystem_is_full(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """A filesystem is above its threshold: see what is large there."""
    for mount, share, result in _over(host):
        if not mount.endswith(INODES):
            text = partial(_used, "{} is {} % full", mount)
            yield Advice(host.host, Urgency.NOW, mount, text, _largest(mount), result["message"], share)


def inodes_run_out(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """A filesystem runs out of inodes: see where the many files are."""
    for label, share, result in _over(host):
        if label.endswith(INODES):
            mount = label.removesuffix(INODES)
            text = partial(_used, "of the inodes of {} {} % are used", mount)
            command = Ansible("command", f"du --inodes -x --max-depth=3 --threshold=10000 {mount}")
            yield Advice(host.host, Urgency.NOW, mount, text, command, result["message"], share)


def filesystem_will_be_full(host: HostEvidence, now: datetime) -> Iterator[Advice]:
    """A filesystem fills up steadily: see what is large there while there is time."""
    filesystems = {result["id"]: result for result in host.of_type("filesystem")}
    told = {advice.subject for advice in filesystem_is_full(host, now)}
    for (check, label), forecast in sorted(host.forecasts.items()):
        result, soonest = filesystems.get(check), forecast.earliest - now
        if result is None or label.endswith(INODES) or soonest > SOON:
            continue
        # Without a label it is the check's own value: of the one filesystem that it looks at.
        mount = label.removesuffix(USED) or result["target"]
        if mount in told or not _is_path(mount):
            continue
        told.add(mount)
        when = _hours_or_days(soonest, forecast.latest - now)
        urgency = Urgency.NOW if forecast.latest - now < TODAY else Urgency.SOON
        text = partial(_will_be_full, mount, when)
        evidence = f"{result['message']}; grows by {forecast.slope_per_day:.3g} a day"
        yield Advice(host.host, urgency, mount, text, _largest(mount), evidence, soonest.total_seconds())


def journal_is_large(host: HostEvidence, now: datetime) -> Iterator[Advice]:
    """Archived journals hold a lot: keep the newest part."""
    command = Ansible("command", f"journalctl --vacuum-size={JOURNAL_TO_KEEP}")
    yield from _reclaimable(host, now, "journal_archived_bytes", "archived journals hold", command)


def package_archives_are_large(host: HostEvidence, now: datetime) -> Iterator[Advice]:
    """Downloaded packages that are installed long since can be had again."""
    dnf = any((result.get("details") or {}).get("manager") == "dnf" for result in host.results)
    command = Ansible("command", "dnf clean packages") if dnf else Ansible("apt", "clean=true")
    yield from _reclaimable(host, now, "packages_bytes", "downloaded packages hold", command)


def _reclaimable(host: HostEvidence, now: datetime, key: str, what: str, command: Ansible) -> Iterator[Advice]:
    """It can wait, unless a filesystem of the host is full."""
    urgency = Urgency.NOW if any(filesystem_is_full(host, now)) else Urgency.SOME_DAY
    for result in host.of_type("reclaimable"):
        held = number(result.get("details") or {}, key)
        if held >= WORTH_CLEANING_BYTES:
            text = partial(_holds, what)
            yield Advice(host.host, urgency, what, text, command, f"{what} {size(held)}", held)


def _over(host: HostEvidence) -> Iterator[tuple[str, float, Result]]:
    """(mount point, or mount point and INODES, share in %, result) of what is above its threshold."""
    for result in host.of_type("filesystem"):
        for label, item in items(result).items() if is_amiss(result) else ():
            limit = item.warn.removeprefix("~:").removeprefix("0:")
            # Where it is in bytes, a share has no threshold.
            warn = float(limit) if limit.replace(".", "", 1).isdigit() else NEARLY_FULL
            if item.unit == "%" and item.value > warn and _is_path(label.removesuffix(INODES)):
                yield label, item.value, result


def _is_path(mount: str) -> bool:
    return mount.startswith("/") and is_plain(mount)


def _largest(mount: str) -> Ansible:
    return Ansible("command", f"du -xh --max-depth=3 --threshold=100M {mount}")


def _used(words: str, mount: str, shares: Sequence[float]) -> str:
    return words.format(mount, up_to(shares))


def _holds(what: str, held: Sequence[float]) -> str:
    return f"{what} {size(sum(held))}"


def _will_be_full(mount: str, when: str, soonest_s: Sequence[float]) -> str:
    return f"{mount} will be full in {when if len(soonest_s) == 1 else f'{span(min(soonest_s))} or later'}"


def _hours_or_days(earliest: timedelta, latest: timedelta) -> str:
    """A range in whole units, of which the later end is rounded up: `24-60 h`, `5-9 days`."""
    unit, name = (timedelta(hours=1), "h") if latest <= timedelta(days=3) else (TODAY, "days")
    return f"{max(earliest, timedelta(0)) // unit}-{-(-latest // unit)} {name}"
