"""What an HTTP check looks at beside the status: content, times, several samples, another address."""

import http.server
import json
import re
import threading
import time

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import http_timing
from ansible_collections.roundsman.fleet.plugins.module_utils.http_timing import for_people
from ansible_collections.roundsman.fleet.plugins.module_utils.json_values import at_path, judge_json
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read
from hypothesis import given
from hypothesis import strategies as st

from . import servers
from .builders import LIMIT_S, result_of


class Api(http.server.BaseHTTPRequestHandler):
    """Answers by path; every third request of /flaky fails; POST gives back what it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.command, self.path, self.headers["Host"], self.client_address[1]))
        code, headers = 200, {"X-Cache": "HIT from a"}
        body = b'{"status": {"db": "ok"}, "items": [{"n": 7}], "ready": true}'
        if self.path == "/flaky" and len(self.server.seen) % 3 == 0:
            code = 503
        elif self.path == "/lazy":
            time.sleep(0.25)
        elif self.path == "/latin":
            body, headers = "échec".encode("latin-1"), {"Content-Type": "text/plain; charset=iso-8859-1"}
        elif self.path in ("/see-other", "/again"):
            code, headers = (303 if self.path == "/see-other" else 307), {"Location": "/"}
        elif self.path == "/elsewhere":
            code, headers = 308, {"Location": f"http://{servers.ALIAS}:{self.server.server_port}/"}
        if self.path == "/drip":
            self._drip()
        else:
            self._send(code, body, headers)

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/echo":
            self._send(200, body, {})
        else:
            self.do_GET()

    def _send(self, code, body, headers):
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "12000")
        self.end_headers()
        for _byte in range(12000):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    server.handle_error = lambda *_arguments: None
    server.seen = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def get(url, limit_s=LIMIT_S, patience_s=None, **keys):
    # What is slow enough to be amiss is asked where that is looked at.
    check = {"warn": None, **keys, "type": "http", "url": url}
    return result_of(check, limit_s=limit_s, patience_s=patience_s)


def measured(result):
    return {name: float(value) for name, value in re.findall(r"'([^']+)'=([0-9.]+)", result["perfdata"])}


@pytest.mark.parametrize(
    ("path", "keys", "status", "words"),
    [
        ("/", {"header": {"x-cache": "^HIT"}}, "OK", "status 200, in "),
        ("/", {"header": {"X-Cache": "MISS"}}, "CRITICAL", "header X-Cache does not match MISS"),
        ("/", {"header": {"X-Other": "."}}, "CRITICAL", "there is no header X-Other"),
        ("/", {"regex": r'"db": "(ok|slow)"'}, "OK", "status 200"),
        ("/", {"regex": r"^down"}, "CRITICAL", "the answer does not match ^down"),
        ("/latin", {"contains": "échec"}, "OK", "status 200"),
        ("/", {"json": {"status.db": "ok", "items[0].n": 7, "ready": True}}, "OK", "status 200"),
        ("/", {"json": {"status.db": "down"}}, "CRITICAL", "status.db is ok, expected down"),
        ("/", {"json": {"items[0].n": {"warn": 5, "crit": 10}}}, "WARNING", "items[0].n is 7 (warn 5)"),
        ("/latin", {"json": {"a": 1}}, "CRITICAL", "the answer is not JSON"),
        ("/lazy", {"first_byte_warn": "200ms"}, "WARNING", "(warn 200ms)"),
        ("/", {"method": "HEAD"}, "OK", "status 200"),
        ("/echo", {"method": "POST", "body": '{"q": "ünï"}', "contains": "ünï"}, "OK", "status 200"),
        ("/see-other", {"method": "POST", "body": "x"}, "OK", "status 200 at "),
        ("/again", {"method": "POST", "body": "x"}, "OK", "status 200 at "),
        ("/elsewhere", {"method": "POST", "body": "x"}, "CRITICAL", f"redirects what is posted to http://{servers.ALIAS}"),
        ("/elsewhere", {"method": "HEAD"}, "OK", "status 200 at "),
    ],
)
def test_what_an_answer_has_to_be(api, path, keys, status, words):
    result = get(api.url + path, **keys)
    assert (result["status"], words in result["message"]) == (status, True), result["message"]


def test_a_redirected_post_becomes_a_get_or_stays_one_as_the_code_says(api):
    get(api.url + "/see-other", method="POST", body="x")
    get(api.url + "/again", method="POST", body="x")
    assert [(method, path) for method, path, *_ in api.seen] == [
        ("POST", "/see-other"), ("GET", "/"), ("POST", "/again"), ("POST", "/"),
    ]  # fmt: skip


def test_every_part_has_its_time(api):
    times = measured(get(api.url + "/lazy"))
    assert {"time", "dns", "connect", "tls", "first byte"} == set(times)
    # The quarter of a second is the server's, once it is connected to.
    assert times["dns"] + times["connect"] + 0.25 <= times["first byte"] <= times["time"]
    assert times["tls"] == 0


def test_tls_takes_time(tmp_path):
    pem = servers.certificate(tmp_path, 90)
    with servers.shop(pem) as url:
        times = measured(get(url, ca=str(pem)))
    assert 0 < times["tls"] < times["first byte"]


def test_samples_are_new_connections_and_what_fails_now_and_then_shows_up(api):
    result = get(api.url + "/flaky", samples=6, pause="1ms")
    assert (result["status"], len({port for *_, port in api.seen})) == ("CRITICAL", 6)
    assert "4 of 6 answers fine, status 503, expected 2xx, 95% of them in " in result["message"]
    times = measured(result)
    assert times["failed"] == 2
    assert times["time p50"] <= times["time"] <= times["time max"]

    allowed = get(api.url + "/flaky", samples=6, pause="1ms", failures=2)
    assert (allowed["status"], "4 of 6 answers fine" in allowed["message"]) == ("OK", True)


def test_when_all_samples_fail_no_allowance_helps(api):
    assert get(api.url, samples=2, failures=2, contains="nothing of it")["status"] == "CRITICAL"


def test_samples_end_with_the_limit(api):
    result = get(api.url + "/lazy", samples=20, patience_s=0.9)
    assert (result["status"], "no time for all 20" in result["message"]) == ("CRITICAL", True)
    assert "no complete answer within 0." in result["message"]
    assert result["duration_s"] < LIMIT_S / 2


def test_a_body_that_drips_ends_before_the_limit(api):
    result = get(api.url + "/drip", patience_s=0.9)
    assert (result["status"], result["message"]) == (
        "CRITICAL",
        f"{api.url}/drip: no complete answer within 0.9 s",
    )


def test_an_address_of_ones_own_keeps_the_name(api):
    url = f"http://shop.invalid:{api.server_port}/"
    assert get(url, resolve="127.0.0.1")["status"] == "OK"
    assert api.seen[0][2] == f"shop.invalid:{api.server_port}"
    assert get(url)["status"] == "CRITICAL"


def test_the_certificate_has_to_fit_the_name_and_not_the_address(tmp_path):
    pem = servers.certificate(tmp_path, 90, name="shop.invalid")
    with servers.shop(pem) as url:
        port = url.rpartition(":")[2]
        assert get(f"https://shop.invalid:{port}/", resolve="127.0.0.1", ca=str(pem))["status"] == "OK"
        assert get(f"https://other.invalid:{port}/", resolve="127.0.0.1", ca=str(pem))["status"] == "CRITICAL"


def test_a_name_server_that_is_silent_is_no_silence_of_ours(monkeypatch):
    monkeypatch.setattr(http_timing.socket, "getaddrinfo", lambda *_a, **_k: time.sleep(600))
    result = get("http://shop.invalid/", patience_s=0.5)
    assert (result["status"], "no complete answer within" in result["message"]) == ("CRITICAL", True)


def test_a_catastrophic_expression_costs_its_check_only(api):
    body = "a" * 40 + "!"
    started = time.monotonic()
    result = get(api.url + "/echo", method="POST", body=body, regex="(a+)+$", limit_s=1, patience_s=60)
    assert (result["status"], result["message"]) == ("UNKNOWN", "no answer within 1 s")
    assert time.monotonic() - started < 60


def test_secrets_are_neither_in_results_nor_in_faults(api):
    url = api.url.replace("://", "://bob:hunter2@") + "/?api_key=hunter2&page=1"
    result = get(url, headers={"Authorization": "Bearer hunter2"}, contains="nothing of it")
    assert "hunter2" not in str(result)
    assert result["id"].endswith("/?api_key=***&page=1")
    (fault,) = read([{"type": "http", "url": "http://a/", "headers": {"X-Token": "hunter2\nX: y"}}], 5)[1]
    assert "hunter2" not in fault
    assert "X-Token" in fault


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"samples": 21}, "samples has to be from 1 to 20"),
        ({"samples": 0}, "samples has to be from 1 to 20"),
        ({"failures": -1}, "failures cannot be below 0"),
        ({"body": "x"}, "body goes together with method: POST only"),
        ({"method": "PUT"}, "not one of GET, HEAD, POST"),
        ({"method": "HEAD", "regex": "x"}, "method HEAD gets no content"),
        ({"regex": "("}, "regex"),
        ({"header": {"A": "("}}, 'A "(" is not a regular expression'),
        ({"json": {"a..b": 1}}, "json: a..b is not a path"),
        ({"json": {"a": {"warn": "x"}}}, "json: a "),
        ({"json": {"a": {"worn": 1}}}, "takes a value, or a mapping of warn and crit"),
        ({"json": {"a": [1]}}, "a is a list, not one value"),
        ({"json": "a"}, "not a mapping"),
        ({"resolve": "shop.example"}, "is not an address"),
        ({"url": "http://a/b c"}, "not of the form"),
    ],
)
def test_faults(keys, words):
    (fault,) = read([{"type": "http", "url": "http://a/", **keys}], 5)[1]
    assert words in fault


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b", 1), ("c[1]", 3), ("c[-1]", 3), ('["x.y"].z', 4), ("d[0][0]", 5), ("", None)],
)
def test_paths(path, value):
    document = {"a": {"b": 1}, "c": [2, 3], "x.y": {"z": 4}, "d": [[5]]}
    assert at_path(document, path) == (document if path == "" else value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_numbers_that_performance_data_cannot_hold_are_judged_all_the_same(value):
    status, (fault,), data = judge_json({"a": {"crit": "-5:5"}}, f'{{"a": {value}}}')
    assert (status, fault.startswith("a is "), fault.endswith("(crit -5:5)"), data) == ("CRITICAL", True, True, [])


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_document_breaks_the_judgement(document):
    status, faults, _data = judge_json({"a.b": 1, "[0]": {"warn": 1}}, json.dumps(document))
    assert (status, bool(faults)) == ("CRITICAL", True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@shop/a?b=c", "https://shop/a?b=c"),
        ("https://shop/?access_token=abc&x=1", "https://shop/?access_token=***&x=1"),
    ],
)
def test_urls_for_people(url, shown):
    assert for_people(url) == shown
