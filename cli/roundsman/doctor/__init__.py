"""Diagnosis before work: this machine, and the way to every host. Looks and tells; changes nothing anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from .controller import check_controller, python_floor
from .model import Become, Fell, Finding, HostReport, HostTarget, Status, target_of, worst

__all__ = [
    "Become",
    "Finding",
    "HostReport",
    "HostTarget",
    "Status",
    "check_controller",
    "probe_all",
    "probe_host",
    "target_of",
    "worst",
]


def probe_host(target: HostTarget, timeout_s: float = 10.0, floor: tuple[int, int] | None = None) -> HostReport:
    """Climbs the ladder to one host; `timeout_s` holds for each rung. Raises nothing that a host can cause."""
    from .ladder import climb  # noqa: PLC0415 - paramiko takes longer to load than `roundsman --help` may

    started = time.monotonic()
    findings: list[Finding] = []
    try:
        findings.extend(climb(target, timeout_s, floor or python_floor()))
    except Fell as fell:
        findings.append(fell.finding)
    return HostReport(target.name, tuple(findings), time.monotonic() - started)


def probe_all(
    targets: Sequence[HostTarget],
    *,
    parallel: int = 20,
    timeout_s: float = 10.0,
    on_report: Callable[[HostReport], None] | None = None,
) -> list[HostReport]:
    """Reports in the order of the targets; `on_report` is called in this thread as each one comes in."""
    reports: dict[int, HostReport] = {}
    floor = python_floor()
    with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="doctor") as pool:
        futures = {pool.submit(probe_host, target, timeout_s, floor): index for index, target in enumerate(targets)}
        for future in as_completed(futures):
            index = futures[future]
            report = _report(targets[index], future.exception()) if future.exception() else future.result()
            reports[index] = report
            if on_report:
                on_report(report)
    return [reports[index] for index in range(len(targets))]


def _report(target: HostTarget, error: BaseException | None) -> HostReport:
    """A fault of ours at one host must not hide the others."""
    message = f"doctor itself failed here: {type(error).__name__}: {error}"
    return HostReport(target.name, (Finding("doctor", Status.FAILED, message, "please report this"),), 0.0)
