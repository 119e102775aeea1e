"""What somebody outside posts, in the store and in messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from roundsman import alerting
from roundsman.alerts.external import Posted
from roundsman.alerts.grouping import Group
from roundsman.alerts.matchers import parse
from roundsman.alerts.model import AlertState, Notify, NotifyKind
from roundsman.alerts.silencing import Silence
from roundsman.notify.message import compose
from roundsman.notify.webhook import payload
from roundsman.store import Store, alerts, episodes, silences

from ..alerts.cast import at
from ..ledger.old_store import old_store

LABELS = {"alertname": "HighLoad", "severity": "critical", "instance": "web1:9100"}
POSTED = Posted(LABELS, {"summary": "load is 40", "runbook_url": "https://wiki/load"}, at(0), at(5), "http://p/graph")


def store_in(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'store.db'}")


def known(store: Store) -> list[AlertState]:
    with store.read() as tx:
        return [AlertState.from_dict(row) for row in alerts.listed(tx, resolved=True)]


def test_posted_kept_and_over(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    many = [replace(POSTED, labels={**LABELS, "instance": f"web{number}:9100"}) for number in range(9)]
    with store.write() as tx:
        # The same twice in one post is one alert.
        alerting.receive(tx, [*many, many[0]], at(1))
        alerting.receive(tx, [replace(POSTED, ends_at=at(30))], at(4))
        alerting.pass_time(tx, at(20))
    assert len(known(store)) == 9
    assert all(state.is_open for state in known(store))
    with store.write() as tx:
        alerting.expire(tx, at(20))
        assert [state["host"] for state in alerts.listed(tx)] == ["web1"]
        (fingerprint,) = {posted.fingerprint for posted in many[7:8]}
        assert [row["reason"] for row in alerts.timeline_of(tx, fingerprint)] == ["opened", "resolved"]


def test_said_twice_in_one_post_each_counts(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.write() as tx:
        alerting.receive(tx, [POSTED, replace(POSTED, ends_at=at(0.5)), POSTED], at(1))
        (state,) = alerts.listed(tx)
        assert state["episode"] == 2
        reasons = [row["reason"] for row in alerts.timeline_of(tx, state["fingerprint"])]
        assert reasons == ["opened", "resolved", "reopened"]
        assert [row["severity"] for row in episodes.since(tx, at(0))] == ["CRITICAL", "CRITICAL"]


def test_its_end_is_the_end_of_a_silence_that_waits_for_it(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    matchers = parse("alertname=HighLoad")
    waits = Silence("waits", matchers, "anna", "known", at(0), at(60), at(0), alert=POSTED.fingerprint)
    with store.write() as tx:
        alerting.receive(tx, [POSTED], at(1))
        silences.save(tx, waits.to_dict())
        silences.save(tx, replace(waits, id="other", alert=None).to_dict())
        alerting.expire(tx, at(6))
        assert [row["id"] for row in silences.listed(tx, at(6))] == ["other"]


def test_any_number_is_looked_up_at_once(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.write() as tx:
        alerting.receive(tx, [POSTED], at(1))
        names = [f"{number:012x}" for number in range(1200)]
        assert [row["fingerprint"] for row in alerts.these(tx, [POSTED.fingerprint, *names])] == [POSTED.fingerprint]


def test_after_a_time_in_which_nobody_listened_it_may_be_said_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.write() as tx:
        alerting.receive(tx, [POSTED, replace(POSTED, labels={"alertname": "Long"}, ends_at=at(500))], at(1))
        alerting.hold(tx, at(100) + timedelta(minutes=5))
        alerting.expire(tx, at(104))
    assert {state.check: state.expires_at for state in known(store)} == {"HighLoad": at(105), "Long": at(500)}
    assert all(state.is_open for state in known(store))


def test_rounds_leave_it_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with store.write() as tx:
        alerting.receive(tx, [POSTED], at(1))
        assert alerting.states_of(tx, "web1") == {}


def test_a_store_of_before(tmp_path: Path) -> None:
    old_store(tmp_path / "store.db", "0010").dispose()
    store = store_in(tmp_path)
    with store.write() as tx:
        alerting.receive(tx, [POSTED], at(1))
    assert [state.expires_at for state in known(store)] == [at(5)]


def message_of(posted: Posted, tmp_path: Path) -> tuple[str, str, dict[str, Any]]:
    store = store_in(tmp_path)
    with store.write() as tx:
        alerting.receive(tx, [posted], at(1))
    news = Notify(NotifyKind.OPENED, known(store)[0], "key")
    message = compose(Group("team", "{}:{}", {}, (news,)))
    return message.title, message.text, payload(message)


def test_what_people_read_of_it(tmp_path: Path) -> None:
    title, text, document = message_of(POSTED, tmp_path)
    assert title == "CRITICAL web1: load is 40"
    assert "Runbook:  https://wiki/load" in text
    assert "Run:" not in text
    (alert,) = document["alerts"]
    assert alert["labels"] == {**LABELS, "host": "web1"}


def test_without_a_host_it_is_called_by_its_name(tmp_path: Path) -> None:
    title, text, _ = message_of(replace(POSTED, labels={"alertname": "Watchdog", "severity": "none"}), tmp_path)
    assert title == "WARNING Watchdog: load is 40"
    assert "  Where:    check Watchdog\n" in text
    assert "Try:      roundsman alerts show" in text
