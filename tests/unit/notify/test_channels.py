"""The contract of every channel, held by every adapter against a real server on loopback."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from roundsman.notify.alertmanager import Alertmanager
from roundsman.notify.channel import Channel, Target
from roundsman.notify.mail import Email
from roundsman.notify.open import open_url
from roundsman.notify.pagerduty import PagerDuty

from .cast import message
from .servers import HANG_S, Server, http_server, smtp_server

PASSWORD = "geheim-0815"
TOKEN = "token4711"

Make = Callable[[int, float], Channel]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
KEY = TOKEN + "x" * 23
MAILTO = f"mailto://alice:{PASSWORD}@127.0.0.1:{{}}?from=r@example.org&to=bob@example.org&mode=insecure"


def webhook(port: int, timeout_s: float) -> Channel:
    url = f"http://alice:{PASSWORD}@127.0.0.1:{port}/{TOKEN}?key={TOKEN}"
    return open_url(Target(url, HEADERS, timeout_s))


# adapter: server, the channel with all the secrets of its kind, a temporary refusal in the server's language
ADAPTERS: dict[str, tuple[Callable[[], AbstractContextManager[Server]], Make, int]] = {
    "webhook": (http_server, webhook, 503),
    "apprise json": (
        http_server,
        lambda port, limit: open_url(Target(f"json://alice:{PASSWORD}@127.0.0.1:{port}/{TOKEN}", {}, limit)),
        503,
    ),
    "apprise mail": (smtp_server, lambda port, limit: open_url(Target(MAILTO.format(port), {}, limit)), 451),
    "pagerduty": (http_server, lambda port, limit: PagerDuty(KEY, f"http://127.0.0.1:{port}/", limit), 429),
    "alertmanager": (
        http_server,
        lambda port, limit: Alertmanager(f"http://alice:{PASSWORD}@127.0.0.1:{port}", HEADERS, limit),
        503,
    ),
    "email": (
        smtp_server,
        lambda port, limit: Email(
            "bob@example.org", "r@example.org", "127.0.0.1", port, "none", "alice", PASSWORD, limit
        ),
        451,
    ),
}


class Case:
    def __init__(self, server: Server, make: Make, refusal: int) -> None:
        self.server, self.make, self.refusal = server, make, refusal

    def channel(self, timeout_s: float = 60) -> Channel:
        return self.make(self.server.port, timeout_s)


@pytest.fixture(params=ADAPTERS)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    start, make, refusal = ADAPTERS[request.param]
    with start() as server:
        yield Case(server, make, refusal)


def test_delivers(case: Case) -> None:
    outcome = case.channel().send(message())
    assert outcome.ok, outcome.detail
    ((_, body),) = case.server.received
    assert "/var 97% used" in str(body).replace("=\\n", "")


def test_a_refusal_for_now_is_temporary_and_sent_once(case: Case) -> None:
    case.server.behaviours = [(case.refusal, {})]
    outcome = case.channel().send(message())
    assert (outcome.ok, outcome.permanent, case.server.requests) == (False, False, 1)
    assert outcome.detail


def test_a_server_that_hangs_is_left_in_time_and_temporary(case: Case) -> None:
    case.server.behaviours = ["hang"]
    began = time.monotonic()
    outcome = case.channel(timeout_s=0.5).send(message())
    assert (outcome.ok, outcome.permanent) == (False, False)
    # Apprise has a limit of its own, of some seconds, that would end it as well.
    assert "no answer within 0.5 s" in outcome.detail or ": timeout " in outcome.detail
    assert time.monotonic() - began < HANG_S / 10


def test_a_server_that_is_away_is_temporary(case: Case) -> None:
    case.server.port = 9  # discard: nothing listens there
    outcome = case.channel().send(message())
    assert (outcome.ok, outcome.permanent) == (False, False)


def test_recovers(case: Case) -> None:
    case.server.behaviours = [(case.refusal, {}), (case.refusal, {})]
    channel = case.channel()
    assert [channel.send(message()).ok for _ in range(3)] == [False, False, True]
    assert len(case.server.received) == 1


@pytest.mark.parametrize("behaviour", ["accept", "refuse", "hang", "away"])
def test_no_secret_is_told(
    case: Case, behaviour: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    case.server.behaviours = [(case.refusal, {}) if behaviour == "refuse" else behaviour]
    if behaviour == "away":
        case.server.port = 9
    caplog.set_level(logging.DEBUG)
    channel = case.channel(timeout_s=0.5)
    outcome = channel.send(message())
    told = [outcome.detail, repr(channel), *capfd.readouterr(), *(record.getMessage() for record in caplog.records)]
    assert not [text for text in told if PASSWORD in text or TOKEN in text]


def test_the_target_is_usable(case: Case) -> None:
    assert case.channel().problem() is None


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for() -> None:
    with http_server() as server:
        server.behaviours = ["trickle"]
        began = time.monotonic()
        outcome = webhook(server.port, 0.5).send(message())
        assert (outcome.ok, outcome.permanent, outcome.detail) == (False, False, "no answer within 0.5 s")
        assert time.monotonic() - began < HANG_S / 10


USELESS = ["", "geheim-0815", "http://", "nosuch://geheim-0815", "mailto://", "https://a:geheim-0815]@[::1", "http:/x"]


@pytest.mark.parametrize("url", USELESS)
def test_a_useless_target_is_found_before_and_permanent_after(url: str) -> None:
    problem = open_url(Target(url)).problem()
    outcome = open_url(Target(url)).send(message())
    assert problem is not None
    assert (outcome.ok, outcome.permanent, outcome.detail) == (False, True, problem)
    assert PASSWORD not in problem


def test_a_target_does_not_show_its_secrets() -> None:
    assert PASSWORD not in repr(Target(f"https://a:{PASSWORD}@x", {"Authorization": PASSWORD}))
