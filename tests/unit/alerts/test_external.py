"""Alerts that somebody outside posts: what they are, and that they hold exactly as long as somebody says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.decide import Reason, decide
from roundsman.alerts.external import RESOLVE_TIMEOUT, Posted, expired, host_of, receive, severity_of
from roundsman.alerts.labels import labels_of
from roundsman.alerts.model import Acknowledge, AlertState, Phase, Resolve, Status
from roundsman.alerts.names import fingerprint

from .cast import at

LABELS = {"alertname": "HighLoad", "severity": "critical", "instance": "web1:9100"}


def posted(minute: float, *, holds: float | None = 5, started: float = 0, summary: str = "load is 40") -> Posted:
    """Said at that minute, for so many more."""
    ends_at = at(minute + holds) if holds is not None else None
    return Posted(LABELS, {"summary": summary}, at(started), ends_at, "http://prometheus/graph")


def after(*posts: tuple[float, Posted]) -> AlertState:
    state = None
    for minute, one in posts:
        state = receive(state, one, at(minute)).state
    assert state is not None
    return state


def test_an_alert_is_its_labels() -> None:
    state = after((1, posted(1)))
    assert (state.host, state.check, state.status) == ("web1", "HighLoad", Status.CRITICAL)
    assert (state.message, state.evidence) == ("load is 40", {"summary": "load is 40"})
    assert state.opened_at == at(0)
    assert labels_of(state) == {**LABELS, "host": "web1"}
    assert AlertState.from_dict(state.to_dict()) == state
    other_order = replace(posted(1), labels=dict(reversed(LABELS.items())))
    assert other_order.fingerprint == state.fingerprint
    assert state.fingerprint not in {
        fingerprint("web1", "HighLoad"),
        replace(posted(1), labels={**LABELS, "severity": "warning"}).fingerprint,
    }


def test_its_inventory_says_more_of_its_host_and_nothing_against_it() -> None:
    state = after((1, posted(1)))
    of_host = {"team": "db", "severity": "warning", "host": "other"}
    assert labels_of(state, of_host) == {**LABELS, "host": "web1", "team": "db"}


@pytest.mark.parametrize(
    ("severity", "status"),
    [("critical", "CRITICAL"), ("PAGE", "CRITICAL"), ("warning", "WARNING"), ("info", "WARNING"), ("weird", "UNKNOWN")],
)
def test_severities(severity: str, status: str) -> None:
    assert severity_of({"severity": severity}) is Status(status)
    assert severity_of({}) is Status.UNKNOWN


@pytest.mark.parametrize(
    ("labels", "host"),
    [
        ({"host": "db1", "instance": "web1:9100"}, "db1"),
        ({"instance": "web1.example.org:9100", "node": "n"}, "web1.example.org"),
        ({"instance": "web1"}, "web1"),
        ({"instance": "[2001:db8::1]:9100"}, "2001:db8::1"),
        ({"instance": "2001:db8::1"}, "2001:db8::1"),
        ({"instance": "https://example.org/login"}, "https://example.org/login"),
        ({"host": "", "node": "node7"}, "node7"),
        ({"alertname": "Watchdog"}, ""),
    ],
)
def test_the_host_that_labels_name(labels: dict[str, str], host: str) -> None:
    assert host_of(labels) == host


def test_saying_it_again_keeps_it_and_takes_new_words() -> None:
    state = after((1, posted(1)), (4, posted(4, summary="load is 60")))
    assert (state.message, state.expires_at, state.opened_at, state.episode) == ("load is 60", at(9), at(0), 1)
    assert expired(state, at(8.9)).state == state


def test_what_is_not_said_again_is_over_when_it_was_to_end() -> None:
    decision = expired(after((1, posted(1))), at(30))
    assert decision.reason is Reason.RESOLVED
    assert decision.state is not None
    assert (decision.state.phase, decision.state.resolved_at) == (Phase.RESOLVED, at(6))
    assert decision.state.resolved_by is None
    again = receive(decision.state, posted(31, started=30), at(31)).state
    assert again is not None
    assert (again.phase, again.episode, again.opened_at) == (Phase.OPEN, 2, at(30))


def test_its_end_is_said() -> None:
    state = after((1, posted(1)), (3, posted(2, holds=0)))
    assert (state.phase, state.status, state.resolved_at) == (Phase.RESOLVED, Status.OK, at(2))
    # Prometheus says an end for a quarter of an hour.
    assert receive(state, posted(2, holds=0), at(4)).reason is Reason.STILL_OK
    assert receive(None, posted(2, holds=0), at(4)).state is None


def test_without_an_end_it_holds_until_one_is_said() -> None:
    state = after((1, posted(1, holds=None)))
    assert expired(state, at(9999)).state == state
    assert after((1, posted(1, holds=None)), (9, posted(9, holds=0))).phase is Phase.RESOLVED


def test_a_start_in_the_future_is_now_and_an_earlier_one_is_believed() -> None:
    assert after((1, posted(1, started=99))).opened_at == at(1)
    assert after((1, posted(1, started=1)), (2, posted(2, started=-60))).opened_at == at(-60)


def test_an_acknowledgement_outlasts_what_is_said_again_but_not_its_end() -> None:
    taken = decide(after((1, posted(1))), Acknowledge("alice", at(2)), at(2)).state
    said_again = receive(taken, posted(3), at(3)).state
    assert said_again is not None
    assert (said_again.phase, said_again.acknowledged_by) == (Phase.ACKNOWLEDGED, "alice")
    over = expired(said_again, at(9)).state
    assert over is not None
    assert over.phase is Phase.RESOLVED


def test_a_person_ends_it_until_it_is_said_again() -> None:
    ended = decide(after((1, posted(1))), Resolve("alice", at(2)), at(2)).state
    assert receive(ended, posted(3), at(3)).reason is Reason.REOPENED


@given(
    st.lists(
        st.tuples(st.floats(0.1, 10), st.one_of(st.just("time"), st.floats(-3, 10), st.none())), min_size=1, max_size=30
    )
)
def test_it_fires_exactly_while_the_last_word_holds(happens: list[tuple[float, str | float | None]]) -> None:
    state, minute, until, ever = None, 0.0, None, False
    for passes, what in happens:
        minute += passes
        now = at(minute)
        if not isinstance(what, str):
            state = receive(state, posted(minute, holds=what), now).state
            until = at(minute + what) if what is not None else None
            ever = ever or until is None or until > now
        elif state is not None:
            state = expired(state, now).state
        fires = ever and (until is None or until > now)
        # Between two looks at the clock nothing ends by itself.
        if isinstance(what, str) or not fires:
            assert (state is not None and state.is_open) is fires
        else:
            assert state is not None
            assert state.is_open


def test_the_default_is_alertmanagers() -> None:
    assert timedelta(minutes=5) == RESOLVE_TIMEOUT
