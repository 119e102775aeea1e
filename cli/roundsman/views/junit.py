"""A report as JUnit XML, which every CI system shows: a test suite per host, a test case per check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from ..alerts.names import REACHABLE, CheckKind
from .report import HostReport, Report

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """What is amiss is a failure, what could not be looked at an error, what was not come to skipped."""
    suites = ET.Element("testsuites", {"name": "roundsman"})
    for host in report.hosts:
        _suite(suites, host, report.run["started_at"])
    for count in ("tests", "failures", "errors", "skipped"):
        suites.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    if report.run["message"]:
        failed = ET.SubElement(suites, "testsuite", {"name": "run", "tests": "1", "failures": "0", "errors": "1"})
        case = ET.SubElement(failed, "testcase", {"name": "run", "classname": "roundsman"})
        _verdict(case, "error", report.run["status"], report.run["message"])
        for count in ("tests", "errors"):
            suites.set(count, str(int(suites.get(count, "0")) + 1))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _suite(suites: ET.Element, host: HostReport, started_at: str) -> None:
    name = _clean(host.host)
    suite = ET.SubElement(suites, "testsuite", {"name": name, "hostname": name, "timestamp": started_at[:19]})
    verdicts = []
    for one in host.findings:
        attributes = {"name": _clean(one["id"]), "classname": f"{name}.{_clean(one['type'])}"}
        case = ET.SubElement(suite, "testcase", {**attributes, "time": f"{one['duration_s']:.3f}"})
        kind = _kind(one)
        verdicts.append(kind)
        if kind is None:
            ET.SubElement(case, "system-out").text = _clean(one["message"])
        else:
            _verdict(case, kind, one["status"], one["message"], one.get("remedy"))
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    suite.set("tests", str(len(verdicts)))
    for attribute, kind in counts.items():
        suite.set(attribute, str(verdicts.count(kind)))
    suite.set("time", f"{sum(one['duration_s'] for one in host.findings):.3f}")


def _kind(one: Mapping[str, Any]) -> str | None:
    if one["status"] == "OK":
        return None
    if one["status"] == "UNKNOWN" and one["id"] == CheckKind.RUN:
        return "skipped"  # the run ended before it came to the host
    return "error" if one["status"] == "UNKNOWN" or one["id"] == REACHABLE else "failure"


def _verdict(case: ET.Element, kind: str, status: str, message: str, remedy: str | None = None) -> None:
    element = ET.SubElement(case, kind, {"message": _clean(message)})
    if kind != "skipped":
        element.set("type", status)
    if remedy:
        element.text = _clean(remedy)


def _clean(text: str) -> str:
    return _NO_XML.sub("�", text)
