"""The outbox reaches a real HTTP endpoint at least once, and a repeat is the same message."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from roundsman import delivery, ledger, times
from roundsman.alerts.grouping import Group, calmed
from roundsman.alerts.model import Notify, NotifyKind
from roundsman.delivery import Delivery
from roundsman.notify.channel import Channel, Outcome, Target
from roundsman.notify.message import Message
from roundsman.notify.templates import Style
from roundsman.notify.webhook import Webhook
from roundsman.store import Store, outbox
from tests.alertmanager import wait_for
from tests.ports import refusing_port

from ..ledger import team
from ..ledger.builders import Run, a_round
from ..ledger.team import CHANNEL, tell_team
from ..notify.cast import full_disk, heard, problem
from ..notify.servers import Server, http_server

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
RNG = random.Random(1)


class Endpoint:
    """Answers with the statuses it is given, then 200; keeps what it was sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.statuses: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.received.append((self.headers["Idempotency-Key"], json.loads(body)))
                self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?token=s3cr3t-token"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    started = Endpoint()
    yield started
    started.server.shutdown()
    started.server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Holds the notifications of one round: two hosts have news, web3 three of them."""
    opened = Store(f"sqlite:///{tmp_path}/store.db")
    a_round().write(tmp_path / "ledger")
    ledger.catch_up(opened, tmp_path / "ledger", NOW)
    tell_team(opened, NOW)
    return opened


def deliver(store: Store, targets: dict[str, Channel], now: datetime = NOW) -> int:
    return team.deliver(store, targets, now, rng=RNG)


def known(endpoint: Endpoint) -> dict[str, Channel]:
    return {CHANNEL: Webhook(Target(endpoint.url))}


def unfinished(store: Store) -> list[str]:
    with store.read() as tx:
        return [row["status"] for row in outbox.waiting(tx)]


def test_one_message_per_host(store: Store, endpoint: Endpoint) -> None:
    assert deliver(store, known(endpoint)) == 2
    by_host = {body["groupLabels"]["host"]: len(body["alerts"]) for _, body in endpoint.received}
    assert by_host == {"web3": 3, "db2": 1}
    assert unfinished(store) == []
    assert deliver(store, known(endpoint), NOW + timedelta(days=1)) == 0


def test_a_failure_is_tried_again_with_the_same_key(store: Store, endpoint: Endpoint) -> None:
    endpoint.statuses = [503]
    assert deliver(store, known(endpoint)) == 1, "a channel that fails is left alone for the rest of the turn"
    endpoint.statuses = [503]
    deliver(store, known(endpoint), NOW + timedelta(milliseconds=1))
    assert deliver(store, known(endpoint), NOW + timedelta(seconds=1)) == 0, "not before they are due"
    deliver(store, known(endpoint), NOW + timedelta(minutes=5))
    keys = [key for key, _ in endpoint.received]
    assert len(keys) == 4
    assert sorted(keys[:2]) == sorted(keys[2:])
    assert unfinished(store) == []


def test_killed_between_sending_and_settling_the_same_message_is_sent_again(store: Store, endpoint: Endpoint) -> None:
    """Claiming and sending without settling is what kill -9 leaves behind."""
    with store.write() as tx:
        claimed = outbox.claim(tx, NOW, delivery.LEASE, known(endpoint))
    assert claimed is not None
    known(endpoint)[CHANNEL].send(delivery._compose(store, claimed, Style()))
    assert deliver(store, known(endpoint)) == 1, "the other host's message; this one is leased"
    assert deliver(store, known(endpoint), NOW + delivery.LEASE) == 1
    keys = [key for key, _ in endpoint.received]
    assert keys[0] == keys[2]
    assert unfinished(store) == []


def test_a_permanent_error_gives_up_and_stays_visible(store: Store, endpoint: Endpoint) -> None:
    endpoint.statuses = [410, 410]
    deliver(store, known(endpoint))
    assert set(unfinished(store)) == {"failed"}


def test_no_secret_of_the_target_is_recorded(store: Store, tmp_path: Path) -> None:
    deliver(store, {CHANNEL: Webhook(Target(f"http://127.0.0.1:{refusing_port()}/hook?token=s3cr3t-token"))})
    with store.read() as tx:
        assert any(row["detail"] for row in outbox.waiting(tx))
    recorded = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"s3cr3t-token" not in recorded


def test_a_command_with_another_configuration_leaves_the_messages_alone(store: Store, endpoint: Endpoint) -> None:
    assert deliver(store, {}) == 0
    assert deliver(store, {"others/url/1": Webhook(Target(endpoint.url))}) == 0
    assert deliver(store, known(endpoint)) == 2


def test_what_opened_while_nobody_was_to_be_told_is_told_later(tmp_path: Path, endpoint: Endpoint) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    a_round().write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    assert unfinished(store) == []
    tell_team(store, NOW + timedelta(days=2))
    assert deliver(store, known(endpoint), NOW + timedelta(days=2)) == 2


def test_a_page_never_arrives_after_its_own_end(tmp_path: Path, endpoint: Endpoint) -> None:
    """OPENED fails, RESOLVED is delivered: OPENED must not be tried again."""
    store = Store(f"sqlite:///{tmp_path}/store.db")
    Run("20261123T010000Z-000001").health("web1", disk="CRITICAL").finish(web1={}).write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", NOW)
    tell_team(store, NOW)
    endpoint.statuses = [503]
    deliver(store, known(endpoint))
    later = NOW + timedelta(minutes=10)
    second = Run("20261123T030000Z-000002", start="2026-11-23T02:14")
    second.health("web1", disk="OK").finish(web1={}).write(tmp_path / "ledger")
    ledger.catch_up(store, tmp_path / "ledger", later)
    tell_team(store, later)
    deliver(store, known(endpoint), later)
    deliver(store, known(endpoint), later + timedelta(hours=2))
    assert [body["status"] for _, body in endpoint.received] == ["firing", "resolved"]


def test_waiting_for_retries_has_an_end(store: Store, endpoint: Endpoint) -> None:
    """Also when another process, killed since, holds a message: its lease is longer than anybody's patience."""
    with store.write() as tx:
        outbox.claim(tx, datetime.now(UTC), delivery.LEASE, known(endpoint))
    started = time.monotonic()
    delivery.Delivery(store, known(endpoint)).stay(timedelta(seconds=1))
    assert time.monotonic() - started < delivery.LEASE.total_seconds() / 4


def test_a_storm_speaks_for_what_still_waits(store: Store, endpoint: Endpoint) -> None:
    """Two hosts' messages wait; then comes a storm that has them both, and then news while the storm waits."""
    with store.write() as tx:
        earlier = [Group.from_dict(row["notification"]) for row in outbox.waiting(tx)]
        ((storm, spoken_for),) = calmed(earlier, 1)
        outbox.add(tx, channel=CHANNEL, group=storm, run_id=None, now=NOW, instead_of=spoken_for)
        over = replace(earlier[0].notifications[0], kind=NotifyKind.RESOLVED)
        outbox.add(tx, channel=CHANNEL, group=replace(earlier[0], notifications=(over,)), run_id=None, now=NOW)
    assert deliver(store, known(endpoint)) == 1
    ((_, body),) = endpoint.received
    assert sorted(alert["status"] for alert in body["alerts"]) == ["firing"] * 3 + ["resolved"]
    assert body["groupKey"] == "storm"
    assert unfinished(store) == []


@dataclass
class Two:
    """A webhook that hangs beside one that is well, each with the news of two hosts to come."""

    store: Store
    hung: Server
    well: Server

    @property
    def targets(self) -> dict[str, Channel]:
        servers = {"hung": self.hung, "well": self.well}
        return {name: Webhook(Target(f"http://127.0.0.1:{one.port}/", timeout_s=60)) for name, one in servers.items()}

    def add(self, channel: str, *alerts: Notify) -> None:
        with self.store.write() as tx:
            for news in alerts:
                group = Group("team", news.alert.check, {}, (news,))
                outbox.add(tx, channel=channel, group=group, run_id=None, now=NOW)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with http_server() as hung, http_server() as well:
        hung.behaviours = ["hang"] * 9
        made = Two(Store(f"sqlite:///{tmp_path}/store.db"), hung, well)
        for channel in made.targets:
            made.add(channel, full_disk(), heard(problem("load", "load 9")))
        yield made


def test_a_target_that_hangs_keeps_no_other_waiting(two: Two) -> None:
    sending = Delivery(two.store, two.targets, clock=lambda: NOW)
    sending.start()
    wait_for(lambda: len(two.well.documents) == 2)
    two.add("well", heard(problem("swap", "swap 90%")))
    sending.start()
    wait_for(lambda: len(two.well.documents) == 3)
    two.hung.stop.set()
    assert sending.wait() == 4, "of the target that hangs one at a time, and the rest is left for later"
    assert unfinished(two.store) == ["pending", "pending"]
    assert two.hung.requests == 1


def test_waiting_for_a_target_that_hangs_has_an_end(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    # The time is over when the one that is well has got what there is for it.
    monkeypatch.setattr(times, "now", lambda: NOW + timedelta(minutes=len(two.well.documents) // 2))

    class Leaving(Delivery):
        """What hangs goes on some time after nothing more is begun."""

        def wait(self) -> int:
            threading.Timer(0.5, two.hung.stop.set).start()
            return super().wait()

    Leaving(two.store, two.targets, clock=lambda: NOW).stay(timedelta(seconds=1))
    assert two.hung.stop.is_set(), "the attempt that is under way is waited for"
    assert two.hung.requests == 1, "and no other is begun"
    assert len(two.well.documents) == 2


def test_what_goes_wrong_while_something_is_sent_is_not_overlooked(store: Store) -> None:
    class Broken:
        def send(self, _message: Message) -> Outcome:
            raise ValueError("a fault of ours")

        def problem(self) -> None:
            return None

    with pytest.raises(ValueError, match="a fault of ours"):
        deliver(store, {CHANNEL: Broken()})
