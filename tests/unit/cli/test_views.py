"""What other programs read of a sweep: Nagios, Prometheus, JUnit; and the small blocks of a page. Pure."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from roundsman import perfdata
from roundsman.commands.common import Failure
from roundsman.exits import ExitCode
from roundsman.views.draw import draw_report
from roundsman.views.junit import junit
from roundsman.views.nagios import nagios, unknown
from roundsman.views.prometheus import prometheus
from roundsman.views.report import Report
from roundsman.views.spark import BLOCKS, sparkline
from roundsman.words import visible

from ..ledger.builders import Run, a_round, check
from .test_report import reported

NASTY = "a|b'c=\"d\\e\nf\x00<&>]]>\x1b[31mö"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def of(*checks: dict[str, Any], host: str = "web1", status: str = "finished") -> Report:
    run = Run(hosts=(host,)).add("health", host=host, ok=True, data={"checks": list(checks), "worst": "OK"})
    return reported(run.finish(**{host: {}}), status)


def test_no_host_commands_the_terminal_of_whoever_reads() -> None:
    screen = io.StringIO()
    hostile = "\x1b[2J\x1b]52;c;cm0=\x07\x9b1A\rall is well \u202e[bold]ö\r\n"
    amiss = {**check("disk", "CRITICAL"), "message": hostile, "remedy": hostile}
    draw_report(Console(file=screen, width=400), of(amiss))
    shown = screen.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown), repr(shown)
    assert r"\x1b[2J\x1b]52;c;cm0=\x07\x9b1A all is well \u202e[bold]ö" in shown
    assert visible("zwei\nZeilen\tmit\u00a0Umlaut: ö, 日本") == "zwei\nZeilen\tmit\u00a0Umlaut: ö, 日本"
    assert "\x1b" not in str(Failure(hostile, ExitCode.RUN_FAILED))


def test_views_escape_what_others_wrote_in_one_way() -> None:
    views = Path(draw_report.__code__.co_filename).parent
    assert [path.name for path in views.glob("*.py") if " markup" in path.read_text()] == ["plain.py"]


@pytest.mark.parametrize(
    ("statuses", "code", "word"),
    [
        (["OK", "OK"], 0, "OK"),
        (["OK", "WARNING"], 1, "WARNING"),
        (["WARNING", "UNKNOWN"], 3, "UNKNOWN"),
        (["UNKNOWN", "CRITICAL", "WARNING"], 2, "CRITICAL"),
    ],
)
def test_nagios_exit_codes(statuses: list[str], code: int, word: str) -> None:
    text, found = nagios(of(*(check(f"c{n}", status) for n, status in enumerate(statuses))))
    assert (found, text.splitlines()[0].startswith(f"ROUNDSMAN {word} - ")) == (code, True)


def test_nagios_says_the_worst_first_and_measures_everything() -> None:
    disk = check("disk", "CRITICAL") | {"perfdata": "'/ used'=97%;80;95;0;100 'x'=3B"}
    text, _code = nagios(of(check("load", "WARNING"), disk, check("up", "OK")))
    first, *rest = text.splitlines()
    said, _bar, measured = first.partition(" | ")
    assert said == "ROUNDSMAN CRITICAL - CRITICAL disk: disk is CRITICAL (and 1 more)"
    assert rest == ["CRITICAL disk: disk is CRITICAL", "WARNING load: load is WARNING"]
    assert [(item.label, item.value, item.unit) for item in perfdata.parse(measured)] == [
        ("load", 97, "%"), ("disk::/ used", 97, "%"), ("disk::x", 3, "B"), ("up", 97, "%"),
    ]  # fmt: skip


def test_nagios_of_several_hosts_names_them_and_one_away_is_critical() -> None:
    text, code = nagios(reported(a_round()))
    assert code == 2
    assert "CRITICAL db2 reachable: host unreachable" in text
    assert "'web3::disk'=97%" in text


@pytest.mark.parametrize("status", ["interrupted", "incomplete", "failed"])
def test_what_was_not_looked_at_is_never_ok(status: str) -> None:
    report = of(check("disk", "OK"), status=status)
    assert nagios(report)[1] == 3
    assert "roundsman_run_complete 0.0" in prometheus(report)


def test_nagios_is_one_line_whatever_a_host_says() -> None:
    hostile = check("disk", "CRITICAL") | {"id": NASTY, "message": NASTY, "perfdata": "'a''|b'=1"}
    text, _code = nagios(of(hostile))
    assert [line.count("|") for line in text.splitlines()] == [1, 0]
    assert unknown("no\nhosts|") == "ROUNDSMAN UNKNOWN - no hosts¦"


def test_prometheus_has_base_units_and_one_type_line_a_metric() -> None:
    measured = check("site", "OK") | {"unit": "ms", "value": 1500, "perfdata": "'rate'=3/s 'mem'=2KB 'odd'=7furlongs"}
    text = prometheus(of(measured, check("disk", "WARNING") | {"value": 29}))
    assert 'roundsman_check_value_seconds{host="web1",check="site",type="site",label=""} 1.5' in text
    assert 'roundsman_check_value_ratio{host="web1",check="disk",type="disk",label=""} 0.29' in text
    assert 'roundsman_check_value_per_second{host="web1",check="site",type="site",label="rate"} 3.0' in text
    assert 'roundsman_check_value_bytes{host="web1",check="site",type="site",label="mem"} 2048.0' in text
    assert 'roundsman_check_value_furlongs{host="web1",check="site",type="site",label="odd"} 7.0' in text
    assert 'roundsman_check_status{host="web1",check="disk",type="disk"} 1.0' in text
    types = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(types) == len(set(types))
    assert {re.split("[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")} == set(types)


def test_prometheus_says_who_is_away() -> None:
    text = prometheus(reported(a_round()))
    assert 'roundsman_host_reachable{host="db2"} 0.0' in text
    assert 'roundsman_host_reachable{host="web1"} 1.0' in text
    assert 'roundsman_host_status{host="web3"} 2.0' in text


def test_prometheus_escapes_labels() -> None:
    text = prometheus(of(check("disk", "OK") | {"id": NASTY}))
    assert r"""check="a|b'c=\"d\\e\nf""" in text
    assert all(line.startswith(("#", "roundsman_")) for line in text.split("\n"))


def test_junit_tells_failures_errors_and_skipped_apart() -> None:
    run = Run(hosts=("web1", "web2", "db2")).health("web1", disk="CRITICAL", load="WARNING", clock="UNKNOWN", up="OK")
    root = ET.fromstring(junit(reported(run.unreachable("db2"), "interrupted")))
    counted = {
        suite.get("name"): tuple(int(suite.get(key, "-1")) for key in ("tests", "failures", "errors", "skipped"))
        for suite in root
    }
    assert counted == {"web1": (4, 2, 1, 0), "web2": (1, 0, 0, 1), "db2": (1, 0, 1, 0)}
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["6", "2", "2", "1"]
    for suite in root:
        for kind, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{kind}")) == int(suite.get(key, "-1"))


def test_junit_is_valid_whatever_a_host_says() -> None:
    root = ET.fromstring(junit(of(check("disk", "CRITICAL") | {"id": NASTY, "message": NASTY, "remedy": NASTY})))
    (failure,) = root.findall("testsuite/testcase/failure")
    assert failure.get("message", "").startswith("a|b'c=\"d\\e")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_a_format(name: str, message: str) -> None:
    name = json.loads(json.dumps(name.encode("utf-8", "replace").decode())) or "x"
    report = of(check("disk", "CRITICAL") | {"id": name, "message": message.encode("utf-8", "replace").decode()})
    ET.fromstring(junit(report))
    assert len(nagios(report)[0].splitlines()) == 2
    assert all(re.match(r"#|roundsman_\w+(\{.*\})? \S+$", line) for line in prometheus(report).split("\n"))


points = st.lists(
    st.tuples(st.integers(0, 10**6), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=50
).map(lambda pairs: sorted((NOW + timedelta(seconds=at), value) for at, value in pairs))


@given(points, st.integers(1, 40))
def test_a_sparkline_is_as_wide_as_asked_and_never_above_itself(series: list[tuple[datetime, float]], n: int) -> None:
    drawn = sparkline(series, n)
    assert len(drawn) == (n if series[0][0] < series[-1][0] else 1)
    assert set(drawn) <= {*BLOCKS, " "}


def test_a_sparkline_shows_the_way() -> None:
    rising = [(NOW + timedelta(minutes=n), float(n)) for n in range(8)]
    assert sparkline(rising, 8) == BLOCKS
    assert sparkline(rising, 8, plain=True) == "_.-=+*#@"
    assert sparkline([*rising[:2], *rising[6:]], 8) == "▁▂    ▇█"
    steady = [(at, 1000 + value) for at, value in rising]
    assert set(sparkline(steady, 8)) == {"▁"}
    assert sparkline([], 8) == ""
