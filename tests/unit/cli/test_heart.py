"""The dead man's switch, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roundsman.heart import beat
from roundsman.notify.channel import Outcome
from roundsman.receivers_config import Heartbeat
from roundsman.store import Store, heartbeats

from ..notify.servers import HANG_S, Server, http_server

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


@pytest.fixture
def service() -> Iterator[Server]:
    with http_server() as running:
        yield running


class Heart:
    def __init__(self, folder: Path, service: Server) -> None:
        self.store = Store(f"sqlite:///{folder}/store.db")
        self.service = service
        self.timeout = "1min"

    def beat(self, minute: float) -> Outcome | None:
        url = f"http://127.0.0.1:{self.service.port}/ping/token4711"
        heartbeat = Heartbeat.model_validate({"url": url, "every": "5min", "timeout": self.timeout})
        return beat(self.store, heartbeat, lambda: NOW + timedelta(minutes=minute))

    @property
    def failures(self) -> list[str]:
        with self.store.read() as tx:
            return [row["detail"] for row in heartbeats.failures(tx)]


@pytest.fixture
def heart(tmp_path: Path, service: Server) -> Heart:
    return Heart(tmp_path, service)


def test_it_beats_when_it_is_due(heart: Heart) -> None:
    beats = [minute for minute in range(16) if heart.beat(minute) is not None]
    assert beats == [0, 5, 10, 15]
    assert heart.service.pings == 4


def test_a_moment_early_is_not_a_whole_turn_late(heart: Heart) -> None:
    assert [heart.beat(minute) is not None for minute in (0, 4.9, 9.8)] == [True, True, True]


def test_a_failure_is_recorded_without_the_url_and_tried_again_at_once(heart: Heart) -> None:
    heart.service.answers_get = [503]
    assert heart.beat(0) == Outcome(ok=False, detail="HTTP 503 Service Unavailable")
    assert heart.beat(1) == Outcome(ok=True, detail="HTTP 200 OK")
    assert heart.beat(2) is None
    heart.service.port = 9
    heart.beat(6)
    first, second = heart.failures
    assert first == "HTTP 503 Service Unavailable"
    assert "ConnectError" in second
    assert "token4711" not in second


def test_a_service_that_hangs_delays_nobody_for_longer_than_the_limit(heart: Heart) -> None:
    heart.service.answers_get = ["hang"]
    heart.timeout = "300ms"
    began = time.monotonic()
    assert heart.beat(0) == Outcome(ok=False, detail="no answer within 0.3 s")
    assert time.monotonic() - began < HANG_S / 10


def test_a_clock_that_was_wrong_does_not_silence_it(heart: Heart) -> None:
    assert heart.beat(60 * 24 * 365) is not None
    assert heart.beat(0) is not None


def test_the_ledger_of_heartbeats_does_not_grow(heart: Heart) -> None:
    heart.service.answers_get = [503]
    for day in range(10):
        heart.beat(day * 60 * 24)
    assert heart.failures == [], "a week is over"
    with heart.store.read() as tx:
        assert heartbeats.last_heard(tx) == NOW + timedelta(days=9)


def test_without_a_service_nothing_happens(heart: Heart) -> None:
    assert beat(heart.store, None) is None
