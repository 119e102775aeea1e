"""Rates from two readings of a counter, and metrics of Prometheus endpoints."""

import json
import re

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks.throughput import Reading, rate, remembered
from ansible_collections.roundsman.fleet.plugins.module_utils.family import NotThereError
from ansible_collections.roundsman.fleet.plugins.module_utils.prometheus_text import value, values
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read
from hypothesis import given
from hypothesis import strategies as st

from tests.ports import refusing_port

from .builders import keys_of, look, result_of
from .servers import shop

BEFORE = Reading(100, "run", "boot", 50.0)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Reading(150, "run", "boot", 60.0), 5.0),
        (Reading(100, "run", "boot", 60.0), 0.0),
        (Reading(99, "run", "boot", 60.0), None),
        (Reading(150, "another run", "boot", 60.0), None),
        (Reading(150, "run", "another boot", 60.0), None),
        (Reading(150, "run", "boot", 50.0), None),
    ],
)
def test_a_rate_compares_only_readings_of_one_life_of_the_counter(after, expected):
    assert rate(BEFORE, after) == expected


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.floats(0.1, 1e9))
def test_a_rate_is_never_negative(first, second, elapsed_s):
    found = rate(Reading(first, "", "", 0.0), Reading(second, "", "", elapsed_s))
    assert found is None or found >= 0


@given(st.none() | st.booleans() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text()))
def test_a_bookmark_of_another_shape_is_no_reading(bookmark):
    assert remembered(bookmark) is None


def test_the_first_round_samples_and_the_next_compares_with_it(tmp_path):
    counter = tmp_path / "count"
    counter.write_text("1000\n")
    check = {"type": "throughput", "source": "file", "path": str(counter), "sample": "10ms", "warn": "1/s:"}

    first, bookmark = look(check)
    counter.write_text("2000\n")
    later = dict(bookmark, at=bookmark["at"] - 100)
    second, _left = look(check, bookmark=later)
    counter.write_text("5\n")
    reset, _left = look(check, bookmark=later)

    assert (first["value"], first["status"], bookmark["count"]) == (0.0, "WARNING", 1000)
    assert 5 < second["value"] <= 10
    assert re.search(r"over 1\d\d s$", second["message"])
    assert (reset["value"], reset["unit"]) == (0.0, "/s")


@pytest.mark.parametrize(
    ("keys", "status", "words"),
    [
        ({"source": "file", "path": "/no/such"}, "UNKNOWN", "/no/such is not there"),
        ({"source": "file", "path": "/etc/passwd"}, "UNKNOWN", "holds no number"),
        ({"source": "disk", "name": "nosuch"}, "UNKNOWN", "there is no disk nosuch"),
        ({"source": "network", "name": "nosuch"}, "UNKNOWN", "there is no interface nosuch"),
        ({"source": "redis", "host": "127.0.0.1"}, "CRITICAL", "Connection refused"),
        ({"source": "nginx"}, "CRITICAL", "Connection refused"),
    ],
)
def test_a_counter_that_is_not_there(keys, status, words):
    port = refusing_port()
    more = {"redis": {"port": port}, "nginx": {"url": f"http://127.0.0.1:{port}/"}}.get(keys["source"], {})
    result = result_of({"type": "throughput", **keys, **more})
    assert (result["status"], words in result["message"]) == (status, True), result


def test_loopback_has_traffic():
    result = result_of({"type": "throughput", "source": "network", "name": "lo", "sample": "10ms"})
    assert (result["status"], result["area"]) == ("OK", "throughput")


def test_what_a_source_needs_is_asked_for():
    _specs, faults = read([{"type": "throughput", "source": "prometheus"}], 10)
    assert faults == ["check 1: url is missing", "check 1: name is missing"]


def test_the_number_of_a_redis_database_is_a_number():
    _specs, faults = read([{"type": "throughput", "source": "redis", "database": "shop"}], 10)
    assert faults == ["check 1: database of redis is a number"]


def test_rates_of_bytes_have_units():
    keys = keys_of({"type": "throughput", "source": "disk", "name": "vda", "warn": "1MB/s:", "crit": "60KiB/min:"})
    assert (keys["warn"].low, keys["crit"].low) == (1000000, 1024)


METRICS = rb"""# HELP jobs Jobs
# TYPE jobs gauge
jobs{queue="mail",path="C:\\x\"}"} 3 1700000000000
jobs{queue="fax", path=""} 4.5e0
jobs_total 7
jobs{queue="bad"} NaN
jobs{queue="worse"} many
"""


def test_samples_are_found_by_name_and_labels():
    assert values(METRICS, "jobs", {}) == [3.0, 4.5]
    assert values(METRICS, "jobs", {"path": 'C:\\x"}'}) == [3.0]
    assert value(METRICS, "jobs", {"queue": "*a*"}, "max") == (4.5, 2)
    assert value(METRICS, "jobs_total", {}) == (7.0, 1)
    with pytest.raises(NotThereError, match='no sample of jobs queue="x"'):
        value(METRICS, "jobs", {"queue": "x"})


@given(st.binary(max_size=300))
def test_garbage_holds_no_sample(body):
    assert all(isinstance(one, float) for one in values(b"m " + body + b"\nm{" + body, "m", {}))


def test_an_endpoint_that_is_no_metrics_page_or_broken():
    with shop() as url:
        page = result_of({"type": "prometheus", "url": url, "metric": "jobs"})
        broken = result_of({"type": "prometheus", "url": f"{url}/broken", "metric": "jobs"})
    assert (page["status"], page["message"]) == ("UNKNOWN", "there is no sample of jobs")
    assert (broken["status"], broken["message"]) == ("CRITICAL", f"{url}/broken: status 503")


@pytest.mark.parametrize(
    "check", [{"type": "prometheus", "metric": "jobs"}, {"type": "throughput", "source": "nginx"}], ids=str
)
def test_secrets_in_a_url_are_in_no_result(check):
    result = result_of(dict(check, url="http://u:hunter2@127.0.0.1:1/metrics?token=hunter2"))
    assert result["status"] == "CRITICAL"
    assert "hunter2" not in json.dumps(result)


def test_a_file_that_holds_no_finite_number_is_unknown(tmp_path):
    (tmp_path / "count").write_text("nan")
    result = result_of({"type": "throughput", "source": "file", "path": str(tmp_path / "count")})
    assert (result["status"], "holds no number" in result["message"]) == ("UNKNOWN", True)


def test_another_counter_under_the_same_id_is_not_compared_with_the_one_before(tmp_path):
    for name, count in (("old", 10), ("new", 9000000)):
        (tmp_path / name).write_text(f"{count}\n")
    check = {"id": "orders", "type": "throughput", "source": "file", "sample": "100ms", "crit": "100/s"}
    _result, mark = look({**check, "path": str(tmp_path / "old")})
    mark["at"] -= 60
    assert look({**check, "path": str(tmp_path / "old")}, mark)[0]["message"].endswith("over 60 s")
    assert look({**check, "path": str(tmp_path / "new")}, mark)[0]["status"] == "OK"
