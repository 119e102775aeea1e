"""A report as a Nagios plugin says it: one line with performance data, then one line per thing that is amiss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import perfdata
from .report import UNREACHABLE, HostReport, Report

CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3, UNREACHABLE: 2}
_WORDS = {code: word for word, code in CODES.items() if word != UNREACHABLE}
_BY_SEVERITY = (0, 1, 3, 2)


def nagios(report: Report) -> tuple[str, int]:
    """(what to print, exit code by Nagios' rules: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN)."""
    code = _code(report)
    amiss = [(host, one) for host in report.hosts for one in host.findings if one["status"] != "OK"]
    amiss.sort(key=lambda pair: -_BY_SEVERITY.index(CODES[pair[1]["status"]]))
    lines = [f"{one['status']} {_name(report, host)}{one['id']}: {one['message']}" for host, one in amiss]
    if report.run["message"]:
        lines.insert(0, f"{report.run['status']}: {report.run['message']}")
    first = lines[0] if lines else _all_well(report)
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    measured = " ".join(_items(report))
    head = f"ROUNDSMAN {_WORDS[code]} - {_plain(first + more)}" + (f" | {measured}" if measured else "")
    return "\n".join([head, *map(_plain, lines)]), code


def unknown(message: str) -> str:
    """What a plugin says that could not even begin."""
    return f"ROUNDSMAN UNKNOWN - {_plain(message)}"


def _code(report: Report) -> int:
    codes = [CODES[host.status] for host in report.hosts]
    codes += [CODES[one["status"]] for host in report.hosts for one in host.findings]
    if report.run["status"] != "finished" or not codes:
        codes.append(CODES["UNKNOWN"])
    return max(codes, key=_BY_SEVERITY.index)


def _all_well(report: Report) -> str:
    checks = sum(len(host.checks) for host in report.hosts)
    hosts = report.hosts[0].host if len(report.hosts) == 1 else f"{len(report.hosts)} hosts"
    return f"{hosts}: all {checks} checks OK"


def _name(report: Report, host: HostReport) -> str:
    return "" if len(report.hosts) == 1 else f"{host.host} "


def _items(report: Report) -> list[str]:
    """Labels are `check::label`, with several hosts `host::check::label`: they have to be unique in one output."""
    single = len(report.hosts) == 1
    found = []
    for host in report.hosts:
        for check in host.checks:
            prefix = check["id"] if single else f"{host.host}::{check['id']}"
            found += [_item(f"{prefix}::{item.label}", item) for item in perfdata.parse(check["perfdata"] or "")]
            if not check["perfdata"] and check["value"] is not None:
                found.append(_item(prefix, _of_value(check)))
    return found


def _of_value(check: Mapping[str, Any]) -> perfdata.Item:
    return perfdata.Item("", float(check["value"]), check["unit"] if check["unit"] in ("%", "s", "B") else "")


def _item(label: str, item: perfdata.Item) -> str:
    label = _plain(label).replace("'", "").replace("=", "_")
    fields = [f"{item.value:.15g}{item.unit}", item.warn, item.crit, item.low, item.high]
    return f"'{label}'=" + _plain(";".join(fields).rstrip(";"))


def _plain(text: str) -> str:
    """One line without the bar, which begins performance data."""
    return " ".join(text.split()).replace("|", "¦")
