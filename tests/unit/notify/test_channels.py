"""The contract of every channel, held by every adapter against a real server on loopback."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from roundsman.notify.channel import Channel, Target
from roundsman.notify.open import open_url

from .cast import message
from .servers import Server, http_server, smtp_server

PASSWORD = "geheim-0815"
TOKEN = "token4711"

# adapter: server, URL with the secrets of its kind, headers, a temporary refusal in the server's language
ADAPTERS = {
    "webhook": (
        http_server,
        f"http://alice:{PASSWORD}@127.0.0.1:{{port}}/{TOKEN}?key={TOKEN}",
        {"Authorization": f"Bearer {TOKEN}"},
        503,
    ),
    "apprise json": (http_server, f"json://alice:{PASSWORD}@127.0.0.1:{{port}}/{TOKEN}", {}, 503),
    "apprise mail": (
        smtp_server,
        f"mailto://alice:{PASSWORD}@127.0.0.1:{{port}}?from=r@example.org&to=bob@example.org&mode=insecure",
        {},
        451,
    ),
}


class Case:
    def __init__(self, server: Server, url: str, headers: dict[str, str], refusal: int) -> None:
        self.server, self.url, self.headers, self.refusal = server, url, headers, refusal

    def channel(self, timeout_s: float = 5) -> Channel:
        return open_url(Target(self.url.format(port=self.server.port), self.headers, timeout_s))


@pytest.fixture(params=ADAPTERS)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    make: Callable[[], AbstractContextManager[Server]]
    make, url, headers, refusal = ADAPTERS[request.param]
    with make() as server:
        yield Case(server, url, headers, refusal)


def test_delivers(case: Case) -> None:
    outcome = case.channel().send(message())
    assert outcome.ok, outcome.detail
    ((_, body),) = case.server.received
    assert "CRITICAL web3: /var 97% used" in str(body)


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
    assert time.monotonic() - began < 4


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
