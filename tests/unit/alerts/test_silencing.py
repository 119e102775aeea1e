"""Silences always end, never hide everything, and runs hide only what they declared."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.intervals import Interval, clock_range
from roundsman.alerts.matchers import matches_all, parse, text_of
from roundsman.alerts.silencing import (
    LONGEST_RUN,
    RunSilence,
    Silence,
    SilenceError,
    Silencer,
    Standing,
    of_alert,
    silenced_by_run,
    symptom,
)

from .cast import alert, at

DISK = {"alertname": "disk", "host": "web3", "check": "disk", "severity": "critical"}
HOUR = timedelta(hours=1)


def silence(text: str = "host=web3", start: float = 0, end: float = 60, **more: Any) -> Silence:
    facts = {"author": "anna", "comment": "new disk", "updated_at": at(0)} | more
    return Silence("s1", parse(text), starts_at=at(start), ends_at=at(end), **facts)


def silenced(*silences: Silence, minute: float = 10) -> bool:
    return bool(Silencer(silences, at(minute), {}).silencing(DISK))


def test_a_silence_counts_from_its_start_to_its_end_for_what_matches() -> None:
    one = silence(start=5)
    assert [one.standing(at(minute)) for minute in (4, 5, 59, 60)] == [
        Standing.PENDING,
        Standing.ACTIVE,
        Standing.ACTIVE,
        Standing.EXPIRED,
    ]
    assert [silenced(one, minute=minute) for minute in (4, 5, 59, 60)] == [False, True, True, False]
    assert not silenced(silence("host=web4"))
    assert not silenced(silence("host=web3,severity!=critical"))


def test_expiring_ends_it_at_once_even_before_it_began() -> None:
    assert not silenced(silence().expired(at(10)), minute=10)
    pending = silence(start=20).expired(at(10))
    assert pending.standing(at(10)) is Standing.EXPIRED
    assert not silenced(pending, minute=30)
    with pytest.raises(SilenceError, match="it is over since"):
        pending.expired(at(11))


def test_an_edit_moves_the_end_or_says_another_reason() -> None:
    edited = silence().edited(at(10), ends_at=at(90), comment="larger disk")
    assert (edited.ends_at, edited.comment, edited.updated_at) == (at(90), "larger disk", at(10))
    assert silence().edited(at(10), comment="x").ends_at == at(60)
    with pytest.raises(SilenceError, match="add a new one"):
        silence().edited(at(60), ends_at=at(90))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"text": ""}, "would silence everything"),
        ({"text": "host=~.*"}, "would silence everything"),
        ({"text": "host!=web1"}, "would silence everything"),
        ({"comment": " "}, "who made it and why"),
        ({"author": ""}, "who made it and why"),
        ({"end": -1}, "ends after it starts"),
        ({"alert": "abc", "end": 8 * 24 * 60}, "at most 7 days"),
    ],
)
def test_silences_that_cannot_be(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(SilenceError, match=why):
        silence(**wrong)


def test_a_recurring_mute_counts_within_its_times_only() -> None:
    nights = {"nights": [Interval(times=[clock_range("02:00", "03:00")])]}
    one = silence(end=10_000, during=("nights",))
    assert at(0).hour == 2
    assert Silencer([one], at(10), nights).silencing(DISK)
    assert not Silencer([one], at(70), nights).silencing(DISK)
    assert Silencer([one], at(24 * 60), nights).silencing(DISK)


def test_a_mute_whose_times_are_configured_no_more_mutes_nothing() -> None:
    assert not Silencer([silence(during=("gone",))], at(10), {}).silencing(DISK)


def test_until_it_resolves_is_about_that_alert_only() -> None:
    matchers = of_alert(alert("CRITICAL"))
    assert matches_all(matchers, DISK)
    assert not matches_all(matchers, DISK | {"check": "load"})
    assert matches_all(matchers, DISK | {"severity": "warning"})
    posted = replace(alert("CRITICAL"), labels={"alertname": "Lag", "instance": "db1:9100"})
    assert text_of(of_alert(posted)) == '{alertname="Lag",instance="db1:9100"}'


TIMES = st.integers(-10_000, 10_000).map(at)


@given(TIMES, TIMES, st.lists(st.tuples(st.booleans(), TIMES, TIMES), max_size=5))
def test_every_silence_ends(start: datetime, end: datetime, changes: list[tuple[bool, datetime, datetime]]) -> None:
    """Whatever is done to it, it is over at its end, and what is over stays so."""
    try:
        one = Silence("s", parse("host=web3"), "anna", "why", start, end, start)
    except SilenceError:
        assert end < start
        return
    for expire, now, until in changes:
        over = one.standing(now) is Standing.EXPIRED
        try:
            one = one.expired(now) if expire else one.edited(now, ends_at=until)
            assert not over
        except SilenceError:
            pass
        assert one.standing(one.ends_at) is Standing.EXPIRED
        assert not Silencer([one], max(one.ends_at, one.starts_at), {}).silencing(DISK)


MATCHERS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["=", "!=", "=~"]), st.sampled_from(["x", "y", ""]))
)


@given(
    st.lists(MATCHERS.map(lambda given: ",".join(map("".join, given))), max_size=5),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")),
)
def test_the_index_finds_what_matches(texts: list[str], labels: dict[str, str]) -> None:
    silences = [silence(text) for text in texts if not matches_all(parse(text), {})]
    wanted = [one.matchers for one in silences if matches_all(one.matchers, labels)]
    found = [one.matchers for one in Silencer(silences, at(10), {}).silencing(labels)]
    assert sorted(map(str, found)) == sorted(map(str, wanted))


def test_many_alerts_and_many_silences_are_quick() -> None:
    silences = [silence(f"host=h{number},check=~.*") for number in range(2_000)]
    silencer = Silencer(silences, at(10), {})
    started = time.process_time()
    assert sum(bool(silencer.silencing(DISK | {"host": f"h{number}"})) for number in range(10_000)) == 2_000
    assert time.process_time() - started < 10


@given(st.builds(silence, start=st.integers(0, 50), alert=st.none() | st.just("abc"), during=st.just(("n",))))
def test_plain_and_back(one: Silence) -> None:
    assert Silence.from_dict(one.to_dict()) == one


def run_silence(*symptoms: str, hosts: tuple[str, ...] = ("web3",), end: float = 60) -> RunSilence:
    return RunSilence("run-1", frozenset(hosts), tuple(symptom(text) for text in symptoms), at(0), at(end))


def by_run(one: RunSilence, check: str, host: str = "web3", minute: float = 10) -> str | None:
    labels = {"host": host, "check": check, "severity": "critical"}
    return silenced_by_run(labels, [one], at(minute))


def test_a_run_silences_what_it_declared_on_its_hosts_until_its_limit() -> None:
    one = run_silence("reachable", "run", "load", 'check=~"http.*",severity=critical')
    assert by_run(one, "reachable") == "run-1"
    assert by_run(one, "run:maintain") == "run-1"
    assert by_run(one, "http-shop") == "run-1"
    assert by_run(one, "disk") is None
    assert by_run(one, "load:1") is None
    assert by_run(one, "reachable", host="web4") is None
    assert by_run(one, "reachable", minute=60) is None
    assert RunSilence.from_dict(one.to_dict()) == one


@pytest.mark.parametrize(
    "check", ["backup", "backup:etc", "verify:etc", "drill:etc", "fresh-backup:etc", "fresh-drill"]
)
def test_no_run_silences_backups_whatever_it_declared(check: str) -> None:
    assert by_run(run_silence("check=~.*", 'host="web3"'), check) is None


@pytest.mark.parametrize("text", ["backup", "verify", "drill", "fresh-check"])
def test_a_run_that_wants_to_is_told(text: str) -> None:
    with pytest.raises(SilenceError, match="never silenced by a run"):
        symptom(text)


def test_a_run_cannot_silence_for_ever_or_without_saying_what() -> None:
    with pytest.raises(SilenceError, match="at most 24 hours"):
        RunSilence("run-1", frozenset({"web3"}), (symptom("load"),), at(0), at(0) + LONGEST_RUN + HOUR)
    with pytest.raises(SilenceError, match="only what it declares"):
        RunSilence("run-1", frozenset({"web3"}), ((),), at(0), at(5))
