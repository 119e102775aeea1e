"""The life of one alert, and why each step of it is as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from roundsman.alerts.decide import Reason, decide, in_order
from roundsman.alerts.model import Acknowledge, AlertState, Phase, Status, Tick
from roundsman.alerts.names import REACHABLE

from .cast import MUCH_LATER, alert, at, happening, no_data, result, story


def words(text: str) -> list[str]:
    return [word.replace("no-data", "no data") for word in text.split()]


REASONS = [
    ("OK", Reason.NOTHING_OPEN),
    ("CRITICAL", Reason.OPENED),
    ("CRITICAL OK CRITICAL", Reason.REOPENED),
    ("CRITICAL CRITICAL", Reason.UNCHANGED),
    ("CRITICAL WARNING", Reason.IMPROVED),
    ("WARNING CRITICAL", Reason.WORSENED),
    ("CRITICAL no-data", Reason.NO_DATA),
    ("CRITICAL OK", Reason.RESOLVED),
    ("CRITICAL OK OK", Reason.STILL_OK),
    ("CRITICAL ack", Reason.ACKNOWLEDGED),
    ("CRITICAL ack unack", Reason.UNACKNOWLEDGED),
    ("ack", Reason.REFUSED_NO_ALERT),
    ("CRITICAL ack ack", Reason.ACKNOWLEDGED),
    ("CRITICAL ack bob-ack", Reason.REFUSED_ACKNOWLEDGED),
    ("CRITICAL ack night", Reason.ACKNOWLEDGEMENT_EXPIRED),
    ("CRITICAL night", Reason.UNCHANGED),
    ("CRITICAL unack", Reason.REFUSED_NOT_ACKNOWLEDGED),
    ("CRITICAL OK ack", Reason.REFUSED_RESOLVED),
    ("CRITICAL OK resolve", Reason.REFUSED_RESOLVED),
]


@pytest.mark.parametrize(("happens", "reason"), REASONS, ids=[f"{happens}: {reason}" for happens, reason in REASONS])
def test_every_decision_names_its_reason(happens: str, reason: Reason) -> None:
    _, decisions = story(*words(happens))
    assert decisions[-1].reason is reason
    assert decisions[-1].refused is reason.name.startswith("REFUSED")


def test_a_refusal_changes_nothing() -> None:
    resolved = alert("CRITICAL", "OK")
    assert decide(resolved, happening("ack", 9), MUCH_LATER).state == resolved


def test_an_older_result_never_overwrites_a_newer_state() -> None:
    newer = alert("CRITICAL", "CRITICAL", "CRITICAL")
    for word in ("OK", "WARNING", "no data"):
        decision = decide(newer, happening(word, 1), MUCH_LATER)
        assert (decision.state, decision.reason) == (newer, Reason.STALE)


def test_a_result_of_the_same_time_is_not_stale() -> None:
    assert decide(alert("WARNING"), result("CRITICAL", 0), MUCH_LATER).reason is Reason.WORSENED


def test_a_late_problem_does_not_reopen_what_was_seen_ok_afterwards() -> None:
    seen_ok = alert("CRITICAL", "OK", "OK")
    assert decide(seen_ok, result("CRITICAL", 1.5), MUCH_LATER).reason is Reason.STALE


def test_a_result_measured_before_the_acknowledgement_but_read_after_it_still_counts() -> None:
    acknowledged = decide(alert("WARNING"), happening("ack", 10), MUCH_LATER).state
    assert decide(acknowledged, result("CRITICAL", 9), MUCH_LATER).reason is Reason.WORSENED


def test_a_controller_whose_clock_ran_ahead_does_not_freeze_the_alert() -> None:
    ahead = decide(None, result("CRITICAL", 600), at(0)).state
    assert ahead is not None
    assert ahead.updated_at == at(0)
    assert decide(ahead, result("OK", 1), at(1)).reason is Reason.RESOLVED


def test_what_a_worsening_ends_and_what_it_keeps() -> None:
    before, after = alert("WARNING", "ack"), alert("WARNING", "ack", "CRITICAL")
    assert (before.acknowledged_by, after.acknowledged_by) == ("alice", None)
    assert (after.opened_at, after.episode) == (at(0), 1)


def test_no_data_keeps_the_last_that_was_known() -> None:
    state = alert("CRITICAL", "no data", "no data")
    assert (state.status, state.last_known, state.message) == (Status.UNKNOWN, Status.CRITICAL, "disk is CRITICAL")
    assert state.summary == "no data: host unreachable, was CRITICAL: disk is CRITICAL"


def test_a_new_episode_starts_afresh() -> None:
    state = alert("CRITICAL", "ack", "OK", "WARNING")
    assert (state.episode, state.opened_at, state.acknowledged_by, state.resolved_at) == (2, at(3), None, None)
    assert state.last_known is Status.WARNING


def test_a_resolved_alert_tells_how_bad_it_was() -> None:
    assert alert("CRITICAL", "OK").severity is Status.CRITICAL


def test_reachability_is_decided_first_within_one_time() -> None:
    batch = [no_data(1), result("CRITICAL", 1, check=REACHABLE), result("OK", 0)]
    assert [(event.at, event.check) for event in in_order(batch)] == [
        (at(0), "disk"),
        (at(1), REACHABLE),
        (at(1), "disk"),
    ]


def test_a_state_of_a_later_version_is_read() -> None:
    plain = alert("CRITICAL").to_dict() | {"assigned_to": "bob"}
    assert AlertState.from_dict(plain).phase is Phase.OPEN


def test_a_clock_that_was_set_back_does_not_freeze_an_alert() -> None:
    """It opened while the controller's clock ran a day ahead; since then that was set right."""
    ahead = decide(None, result("CRITICAL", 24 * 60), at(24 * 60)).state
    assert decide(ahead, result("OK", 5), at(6)).reason is Reason.RESOLVED


# goalert#3378: an acknowledgement that nobody came back to hid the problem for good.
def test_goalert_3378_a_forgotten_acknowledgement_expires_and_says_so() -> None:
    taken = alert("CRITICAL", "ack")
    assert taken.acknowledged_until == at(1) + timedelta(hours=4)
    assert decide(taken, Tick(at(240)), MUCH_LATER).state == taken
    expired = decide(taken, Tick(at(241)), MUCH_LATER)
    assert "the acknowledgement by alice ended at 2026-11-23 06:01 UTC, still CRITICAL" in expired.sentence
    assert expired.state is not None
    # Who is told shall know whom to ask.
    assert (expired.state.phase, expired.state.acknowledged_by) == (Phase.OPEN, "alice")


def test_who_has_it_may_take_it_for_longer() -> None:
    longer = decide(alert("CRITICAL", "ack"), Acknowledge("alice", at(200), until=at(600)), MUCH_LATER).state
    assert longer is not None
    assert decide(longer, Tick(at(599)), MUCH_LATER).reason is Reason.UNCHANGED
    assert decide(longer, Tick(at(600)), MUCH_LATER).reason is Reason.ACKNOWLEDGEMENT_EXPIRED


def test_an_acknowledgement_of_an_older_version_ends_as_well() -> None:
    endless = replace(alert("CRITICAL", "ack"), acknowledged_until=None)
    assert decide(endless, Tick(at(242)), MUCH_LATER).reason is Reason.ACKNOWLEDGEMENT_EXPIRED


def test_an_acknowledgement_made_by_a_clock_that_was_ahead_lasts_no_longer_than_it_should() -> None:
    taken = alert("CRITICAL", "ack")
    ahead = replace(taken, acknowledged_at=MUCH_LATER, acknowledged_until=MUCH_LATER + timedelta(hours=4))
    corrected = decide(ahead, Tick(at(2)), at(2)).state
    assert corrected is not None
    assert (corrected.phase, corrected.acknowledged_until) == (Phase.ACKNOWLEDGED, at(2) + timedelta(hours=4))
