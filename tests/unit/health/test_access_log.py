"""Access logs as nginx, Apache, Caddy and Traefik write them."""

import json

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.log_worker import Requests, percentile
from hypothesis import given
from hypothesis import strategies as st

from .builders import look

COMMON = '127.0.0.1 - frank [10/Oct/2026:13:55:36 +0000] "GET /apache_pb.gif HTTP/1.0" %s 2326'
COMBINED = COMMON + ' "https://example.org/" "Mozilla/5.0 (X11)"'
TIMED = COMBINED + ' rt=%s uct="0.001"'
VHOST = "[::1]:80 shop.example:443 " + COMBINED
NGINX_JSON = '{"time": "2026-10-10T13:55:36Z", "status": "%s", "request_time": "0.250"}'
CADDY = '{"level":"info","request":{"method":"GET"},"duration":0.02,"size":11,"status":%s}'
TRAEFIK = '{"DownstreamStatus":%s,"Duration":1200000,"RequestPath":"/"}'
ECS = '{"http":{"response":{"status_code":%s}}}'
FLAT = '{"http.response.status_code":%s}'


def counted(*lines, **keys):
    requests = Requests({"status_fields": ["status"], "time_fields": ["request_time", "rt"], **keys})
    for line in lines:
        requests.see(line.encode() if isinstance(line, str) else line)
    return requests.sums()


def check(tmp_path, *lines, **keys):
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in lines))
    return look({"type": "access_log", "path": str(path), **keys})[0]


@pytest.mark.parametrize("form", [COMMON, COMBINED, VHOST, NGINX_JSON, CADDY, TRAEFIK, ECS, FLAT])
def test_every_form_is_known(tmp_path, form):
    result = check(tmp_path, *[form % 200] * 60, *[form % 503] * 30, *[form % 500] * 10)
    assert (result["status"], result["value"], result["unit"]) == ("CRITICAL", 40.0, "%")
    start = f"40% of 100 requests in {tmp_path}/access.log failed: 30 with 503, 10 with 500 (crit 5%); "
    assert result["message"].startswith(start)


@pytest.mark.parametrize(
    ("line", "statuses"),
    [
        ('h - - [x] "GET /a\\"b\\" 500 1 HTTP/1.1" 200 5', {"200": 1}),
        ('h - - [x] "GET /\\x22 500 1" 302 -', {"302": 1}),
        ('h - - [x] "" 400 0', {"400": 1}),
        ('h - a b [x] "\\x16\\x03\\x01" 400 157 "-" "-"', {"400": 1}),
        (b'h - - [x] "GET /\xff\xfe HTTP/1.1" 500 7', {"500": 1}),
    ],
)
def test_requests_that_want_to_look_like_something_else(line, statuses):
    assert counted(line) == {"statuses": statuses, "strange": 0, "times": {"p50": None, "p95": None, "max": None}}


@pytest.mark.parametrize(
    "line",
    ["Traceback (most recent call last):", "{", '{"status": {}}', '{"status": "fine"}', "[" * 100000, '{"a":' * 5000],
)
def test_what_is_no_request_is_counted_apart(line):
    sums = counted(line, COMMON % 200)
    assert (sums["statuses"], sums["strange"]) == ({"200": 1}, 1)


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reading(line):
    sums = counted(line)
    assert sum(sums["statuses"].values()) + sums["strange"] == bool(line.strip())


def test_a_log_of_another_kind_is_unknown(tmp_path):
    result = check(tmp_path, *["Starting nginx"] * 30)
    assert result["status"] == "UNKNOWN"
    assert "none of 30 lines" in result["message"]
    assert "status_field" in result["remedy"]


def test_few_requests_are_no_verdict(tmp_path):
    result = check(tmp_path, *[COMMON % 500] * 19)
    assert (result["status"], result["value"]) == ("OK", None)
    assert "19 requests in " in result["message"]
    assert "19 failed: too few to judge" in result["message"]
    assert "'failed'=19" in result["perfdata"]
    assert check(tmp_path, *[COMMON % 500] * 19, min_requests=19)["status"] == "CRITICAL"
    assert check(tmp_path)["message"].startswith("0 requests in ")


def test_fields_can_be_named_and_times_judged(tmp_path):
    lines = [json.dumps({"outcome": {"http": 200}, "took": n}) for n in range(1, 101)]
    keys = {"status_field": "outcome.http", "time_field": "took", "time_unit": "ms"}
    result = check(tmp_path, *lines, **keys, latency_warn="90ms", latency_crit="1s")
    assert (result["status"], result["value"]) == ("WARNING", 0.0)
    assert "95% took at most 0.095 s (warn 90ms)" in result["message"]
    assert "'p95'=0.095s;0.09;1;0 'max'=0.1s" in result["perfdata"]


def test_times_in_text(tmp_path):
    result = check(tmp_path, *[TIMED % (200, "0.500")] * 20, *[TIMED % (200, "-")] * 5, latency_crit="400ms")
    assert (result["status"], "at most 0.500 s (crit 400ms)" in result["message"]) == ("CRITICAL", True)


def test_many_times_are_thinned_out_evenly(monkeypatch):
    monkeypatch.setitem(Requests._text.__globals__, "MOST_TIMES", 100)
    times = counted(*[TIMED % (200, number) for number in range(10000)])["times"]
    assert abs(times["p50"] - 5000) < 200
    assert abs(times["p95"] - 9500) < 200


@given(st.lists(st.floats(0, 1000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_enough_are_not_above(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= len(values) * share
