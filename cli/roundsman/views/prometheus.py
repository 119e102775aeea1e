"""A report as Prometheus text: gauges in base units, without time stamps, for a textfile collector."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .. import perfdata
from ..alerts.names import REACHABLE
from ..times import moment
from .nagios import CODES
from .report import Report

_STATUS = "0 is OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."
_HELP = {
    "roundsman_run_start_time_seconds": "When this look at the hosts began, in seconds since 1970.",
    "roundsman_run_complete": "1 if the run came to its end.",
    "roundsman_host_status": f"The worst that is known of the host: {_STATUS}",
    "roundsman_host_reachable": "1 if the host could be logged in to.",
    "roundsman_check_status": f"Result of the check: {_STATUS}",
    "roundsman_check_duration_seconds": "How long the check took.",
}
_MEASURED = "What the check measured: the value that its thresholds judge (label empty) and its performance data."
# Unit of a measurement -> (ending of the metric's name, factor to the base unit).
_UNITS = {
    "": ("", 1.0), "c": ("", 1.0), "%": ("_ratio", 0.01),
    "s": ("_seconds", 1.0), "ms": ("_seconds", 1e-3), "us": ("_seconds", 1e-6), "ns": ("_seconds", 1e-9),
    "B": ("_bytes", 1.0), "KB": ("_bytes", 1024.0), "MB": ("_bytes", 1024.0**2), "GB": ("_bytes", 1024.0**3),
    "TB": ("_bytes", 1024.0**4), "/s": ("_per_second", 1.0), "B/s": ("_bytes_per_second", 1.0),
}  # fmt: skip

Sample = tuple[str, Mapping[str, str], float]


def prometheus(report: Report) -> str:
    families: dict[str, list[str]] = {}
    for name, labels, value in _samples(report):
        written = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        families.setdefault(name, []).append(f"{name}{{{written}}} {value!r}" if written else f"{name} {value!r}")
    lines = []
    for name, samples in sorted(families.items()):
        lines += [f"# HELP {name} {_HELP.get(name, _MEASURED)}", f"# TYPE {name} gauge", *samples]
    return "\n".join(lines)


def _samples(report: Report) -> Iterator[Sample]:
    yield "roundsman_run_start_time_seconds", {}, moment(report.run["started_at"]).timestamp()
    yield "roundsman_run_complete", {}, float(report.run["status"] == "finished")
    for host in report.hosts:
        of_host = {"host": host.host}
        found = host.findings
        yield "roundsman_host_status", of_host, float(CODES[host.status])
        yield "roundsman_host_reachable", of_host, float(all(one["id"] != REACHABLE for one in found))
        for one in found:
            labels = {**of_host, "check": one["id"], "type": one["type"]}
            yield "roundsman_check_status", labels, float(CODES[one["status"]])
            yield "roundsman_check_duration_seconds", labels, float(one["duration_s"])
            if one["value"] is not None:
                yield _measurement(labels, "", one["unit"], float(one["value"]))
            for item in perfdata.parse(one["perfdata"] or ""):
                yield _measurement(labels, item.label, item.unit, item.value)


def _measurement(labels: Mapping[str, str], label: str, unit: str, value: float) -> Sample:
    ending, factor = _UNITS.get(unit) or ("_" + re.sub("[^a-z]+", "_", unit.lower()).strip("_"), 1.0)
    # A hundredth of 29 is 0.29, not 0.29000000000000004.
    return f"roundsman_check_value{ending.rstrip('_')}", {**labels, "label": label}, float(f"{value * factor:.15g}")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
