import time

import pytest

from tests.ports import refusing_port

from . import servers
from .builders import LIMIT_S, result_of


def http(url, patience_s=None, **keys):
    # What is slow enough to be amiss is asked where that is looked at.
    return result_of({"warn": None, **keys, "type": "http", "url": url}, patience_s=patience_s)


@pytest.fixture(scope="module")
def shop():
    with servers.shop() as url:
        yield url


def test_a_port_that_accepts_is_ok():
    with servers.listener() as port:
        result = result_of({"type": "tcp", "host": "127.0.0.1", "port": port, "warn": LIMIT_S})
    assert (result["status"], result["unit"]) == ("OK", "s")
    assert 0 < result["value"] < LIMIT_S


def test_a_port_that_refuses_is_critical():
    result = result_of({"type": "tcp", "host": "127.0.0.1", "port": refusing_port()})
    assert result["status"] == "CRITICAL"
    assert "Connection refused" in result["message"]


def test_a_port_that_never_answers_is_critical_before_the_limit():
    with servers.full_backlog() as port:
        result = result_of({"type": "tcp", "host": "127.0.0.1", "port": port}, patience_s=0.9)
    assert result["status"] == "CRITICAL"
    assert result["message"].endswith("does not accept a connection within 0.9 s")


def test_a_name_that_does_not_resolve_is_critical():
    result = result_of({"type": "tcp", "host": "no-such-host.invalid", "port": 80})
    assert result["status"] == "CRITICAL"
    assert "no-such-host.invalid" in result["message"]


@pytest.mark.parametrize(
    ("path", "keys", "status", "words"),
    [
        ("/", {}, "OK", "status 200, in "),
        ("/", {"contains": "ready"}, "OK", "status 200"),
        ("/", {"contains": "steady"}, "CRITICAL", '"steady" is not in the answer'),
        ("/broken", {}, "CRITICAL", "status 503, expected 2xx"),
        ("/broken", {"status": [200, "5xx"]}, "OK", "status 503"),
        ("/moved", {}, "OK", "status 200 at "),
        ("/moved", {"follow_redirects": False}, "CRITICAL", "status 302, expected 2xx"),
        ("/moved", {"follow_redirects": False, "status": 302}, "OK", "status 302"),
        ("/circle", {}, "CRITICAL", "redirects more than 5 times"),
        ("/file", {}, "CRITICAL", "redirects to file:///etc/passwd"),
        ("/slow", {"warn": "200ms"}, "WARNING", "(warn 200ms)"),
        ("/slow", {"crit": "200ms"}, "CRITICAL", "(crit 200ms)"),
    ],
)
def test_what_a_site_answers(shop, path, keys, status, words):
    result = http(shop + path, **keys)
    assert (result["status"], words in result["message"]) == (status, True), result["message"]


def test_headers_and_basic_authentication_are_sent(shop):
    url = shop.replace("://", "://alice:open%20sesame@") + "/headers"
    result = http(url, headers={"X-Probe": "yes"}, contains="X-Probe: yes")
    assert result["status"] == "OK"
    assert http(url, contains="Authorization: Basic YWxpY2U6b3BlbiBzZXNhbWU=")["status"] == "OK"
    assert "sesame" not in str(result)


def test_secrets_do_not_follow_a_redirect_to_another_host(shop):
    url = shop.replace("://", "://alice:secret@") + "/away"
    assert http(url, contains="User-Agent")["status"] == "OK"
    assert http(url, contains="Authorization")["status"] == "CRITICAL"
    assert http(url, headers={"X-Token": "t"}, contains="X-Token")["status"] == "CRITICAL"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (servers.mumbles, "no valid HTTP answer"),
        (servers.hangs_up, "closed the connection without an answer"),
        (lambda _connection: time.sleep(600), "no complete answer within 0.9 s"),
        (servers.drips, "no complete answer within 0.9 s"),
    ],
)
def test_a_server_that_does_not_answer_properly_is_critical(behaviour, words):
    with servers.listener(behaviour) as port:
        result = http(f"http://127.0.0.1:{port}/", patience_s=0.9 if "0.9 s" in words else None)
    assert (result["status"], words in result["message"]) == ("CRITICAL", True), result["message"]


def test_a_dead_server_is_critical():
    result = http(f"http://127.0.0.1:{refusing_port()}/")
    assert (result["status"], result["message"].endswith(": Connection refused")) == ("CRITICAL", True)


@pytest.mark.parametrize(
    ("days_left", "keys", "status", "words"),
    [
        (90, {}, "OK", "certificate expires in 90 days"),
        (14, {}, "WARNING", "certificate expires in 14 days (warn 21d)"),
        (3, {}, "CRITICAL", "certificate expires in 3 days (crit 7d)"),
        (3, {"certificate_warn": "2d", "certificate_crit": None}, "OK", "certificate expires in 3 days"),
        (-2, {}, "CRITICAL", "certificate refused: certificate has expired"),
        (-2, {"verify": False}, "CRITICAL", "certificate has expired (crit 7d)"),
        (90, {"ca": None}, "CRITICAL", "certificate refused: self"),
        (90, {"ca": None, "verify": False}, "OK", "certificate expires in 90 days"),
    ],
)
def test_what_a_certificate_is_worth(tmp_path, days_left, keys, status, words):
    pem = servers.certificate(tmp_path, days_left)
    with servers.shop(pem) as url:
        result = http(url, **dict({"ca": str(pem)}, **keys))
    assert (result["status"], words in result["message"]) == (status, True), result["message"]


def test_a_certificate_for_another_host_is_refused(tmp_path):
    pem = servers.certificate(tmp_path, 90, name="other.example")
    with servers.shop(pem) as url:
        result = http(url, ca=str(pem))
    assert result["status"] == "CRITICAL"
    assert "certificate refused" in result["message"]


def test_a_missing_file_of_authorities_is_not_the_servers_fault():
    result = http("https://127.0.0.1/", ca="/no/such/ca.pem")
    assert (result["status"], bool(result["remedy"])) == ("UNKNOWN", True)
