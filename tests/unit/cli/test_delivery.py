"""The outbox reaches a real HTTP endpoint at least once, and a repeat is the same message."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from roundsman import delivery, ledger
from roundsman.alerting import Routing
from roundsman.notify.channel import Target
from roundsman.store import Store, outbox

from ..ledger.builders import a_round

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
    ledger.catch_up(opened, tmp_path / "ledger", NOW, Routing("team", ("team/webhook/1",), timedelta(seconds=30)))
    return opened


def known(endpoint: Endpoint) -> dict[str, Target]:
    return {"team/webhook/1": Target(endpoint.url)}


def unfinished(store: Store) -> list[str]:
    with store.read() as tx:
        return [row["status"] for row in outbox.waiting(tx)]


def test_one_message_per_host(store: Store, endpoint: Endpoint) -> None:
    assert delivery.deliver_due(store, known(endpoint), NOW, RNG) == 2
    by_host = {body["groupLabels"]["host"]: len(body["alerts"]) for _, body in endpoint.received}
    assert by_host == {"web3": 3, "db2": 1}
    assert unfinished(store) == []
    assert delivery.deliver_due(store, known(endpoint), NOW + timedelta(days=1), RNG) == 0


def test_a_failure_is_tried_again_with_the_same_key(store: Store, endpoint: Endpoint) -> None:
    endpoint.statuses = [503, 503]
    delivery.deliver_due(store, known(endpoint), NOW, RNG)
    assert delivery.deliver_due(store, known(endpoint), NOW + timedelta(seconds=1), RNG) == 0, "not before it is due"
    delivery.deliver_due(store, known(endpoint), NOW + timedelta(minutes=5), RNG)
    keys = [key for key, _ in endpoint.received]
    assert len(keys) == 4
    assert sorted(keys[:2]) == sorted(keys[2:])
    assert unfinished(store) == []


def test_killed_between_sending_and_settling_it_is_sent_again_as_the_same_message(
    store: Store, endpoint: Endpoint
) -> None:
    """Claiming and sending without settling is what kill -9 leaves behind."""
    with store.write() as tx:
        claimed = outbox.claim(tx, NOW, delivery.LEASE)
    delivery._send(claimed, known(endpoint))
    assert delivery.deliver_due(store, known(endpoint), NOW, RNG) == 1, "the other host's message; this one is leased"
    assert delivery.deliver_due(store, known(endpoint), NOW + delivery.LEASE, RNG) == 1
    keys = [key for key, _ in endpoint.received]
    assert keys[0] == keys[2]
    assert unfinished(store) == []


def test_a_permanent_error_gives_up_and_stays_visible(store: Store, endpoint: Endpoint) -> None:
    endpoint.statuses = [404, 404]
    delivery.deliver_due(store, known(endpoint), NOW, RNG)
    assert set(unfinished(store)) == {"failed"}


def test_no_secret_of_the_target_is_recorded(store: Store, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.server.server_close()
    delivery.deliver_due(store, known(endpoint), NOW, RNG)
    with store.read() as tx:
        assert all(row["detail"] for row in outbox.waiting(tx))
    recorded = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"s3cr3t-token" not in recorded


def test_a_receiver_that_is_gone_from_the_configuration_gives_up(store: Store) -> None:
    delivery.deliver_due(store, {}, NOW, RNG)
    with store.read() as tx:
        assert {row["detail"] for row in outbox.waiting(tx)} == {"this receiver is no longer in roundsman.yml"}
