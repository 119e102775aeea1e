"""Stories of one alert: what happens, minute by minute, and what people hear of it."""

from __future__ import annotations

import json

import pytest

from roundsman.alerts.groups import GroupState
from roundsman.alerts.model import AlertState, Notify

from .cast import Tale

STORIES = [
    # what happens                                     what is heard after each step       phase           status
    ("OK", "-", None, None),
    ("no data", "-", None, None),
    ("WARNING", "opened", "open", "WARNING"),
    ("UNKNOWN", "opened", "open", "UNKNOWN"),
    ("CRITICAL CRITICAL", "opened -", "open", "CRITICAL"),
    ("WARNING CRITICAL", "opened worsened", "open", "CRITICAL"),
    ("UNKNOWN CRITICAL", "opened worsened", "open", "CRITICAL"),
    ("WARNING UNKNOWN", "opened worsened", "open", "UNKNOWN"),
    ("CRITICAL WARNING", "opened -", "open", "WARNING"),
    ("CRITICAL WARNING CRITICAL", "opened - worsened", "open", "CRITICAL"),
    ("CRITICAL UNKNOWN CRITICAL", "opened - -", "open", "CRITICAL"),
    ("CRITICAL OK", "opened resolved", "resolved", "OK"),
    ("CRITICAL OK OK", "opened resolved -", "resolved", "OK"),
    ("CRITICAL OK CRITICAL", "opened resolved opened", "open", "CRITICAL"),
    ("CRITICAL no-data", "opened -", "open", "UNKNOWN"),
    ("CRITICAL no-data CRITICAL", "opened - -", "open", "CRITICAL"),
    ("WARNING no-data CRITICAL", "opened - worsened", "open", "CRITICAL"),
    ("CRITICAL no-data OK", "opened - resolved", "resolved", "OK"),
    ("CRITICAL OK no-data", "opened resolved -", "resolved", "OK"),
    # inhibited: recorded, told later or never
    ("(CRITICAL)", "-", "open", "CRITICAL"),
    ("(CRITICAL) CRITICAL", "- opened", "open", "CRITICAL"),
    ("(CRITICAL) OK", "- -", "resolved", "OK"),
    ("(CRITICAL) (no-data) WARNING", "- - opened", "open", "WARNING"),
    ("CRITICAL (no-data) (OK)", "opened - resolved", "resolved", "OK"),
    ("WARNING (CRITICAL) CRITICAL", "opened - worsened", "open", "CRITICAL"),
    ("WARNING (CRITICAL) WARNING", "opened - -", "open", "WARNING"),
    # people
    ("WARNING ack WARNING", "opened - -", "acknowledged", "WARNING"),
    ("WARNING ack CRITICAL", "opened - worsened", "open", "CRITICAL"),
    ("WARNING ack (CRITICAL) CRITICAL", "opened - - worsened", "open", "CRITICAL"),
    ("CRITICAL ack no-data CRITICAL", "opened - - -", "acknowledged", "CRITICAL"),
    ("CRITICAL no-data ack CRITICAL", "opened - - -", "acknowledged", "CRITICAL"),
    ("CRITICAL ack OK", "opened - resolved", "resolved", "OK"),
    ("CRITICAL ack unack CRITICAL", "opened - - -", "open", "CRITICAL"),
    ("(CRITICAL) ack CRITICAL", "- - -", "acknowledged", "CRITICAL"),
    ("(CRITICAL) ack CRITICAL OK", "- - - -", "resolved", "OK"),
    ("(WARNING) ack CRITICAL OK", "- - opened resolved", "resolved", "OK"),
    ("(CRITICAL) ack unack CRITICAL", "- - opened -", "open", "CRITICAL"),
    ("CRITICAL resolve", "opened resolved", "resolved", "CRITICAL"),
    ("CRITICAL resolve OK", "opened resolved -", "resolved", "CRITICAL"),
    ("CRITICAL resolve CRITICAL", "opened resolved opened", "open", "CRITICAL"),
    ("(CRITICAL) resolve", "- -", "resolved", "CRITICAL"),
    # acknowledgements are forgotten
    ("CRITICAL night", "opened -", "open", "CRITICAL"),
    ("CRITICAL ack night night", "opened - expired -", "open", "CRITICAL"),
    ("CRITICAL ack night CRITICAL OK", "opened - expired - resolved", "resolved", "OK"),
    ("CRITICAL ack night ack night", "opened - expired - expired", "open", "CRITICAL"),
    ("CRITICAL ack unack night", "opened - - -", "open", "CRITICAL"),
    ("CRITICAL ack OK night", "opened - resolved -", "resolved", "OK"),
    ("WARNING ack CRITICAL night", "opened - worsened -", "open", "CRITICAL"),
    ("WARNING ack night CRITICAL", "opened - expired worsened", "open", "CRITICAL"),
    ("CRITICAL ack (CRITICAL) night CRITICAL", "opened - - expired -", "open", "CRITICAL"),
    ("(CRITICAL) ack CRITICAL night OK", "- - - opened resolved", "resolved", "OK"),
    ("CRITICAL ack (CRITICAL) night OK", "opened - - expired resolved", "resolved", "OK"),
]


def words(text: str) -> list[str]:
    return [text] if text == "no data" else [word.replace("no-data", "no data") for word in text.split()]


@pytest.mark.parametrize(("happens", "heard", "phase", "status"), STORIES, ids=[story[0] for story in STORIES])
def test_what_people_hear(happens: str, heard: str, phase: str | None, status: str | None) -> None:
    tale = Tale()
    said = [" ".join(news.kind.split()[-1] for news in tale.tell(word)) or "-" for word in words(happens)]
    assert said == heard.split()
    assert (tale.state and tale.state.phase, tale.state and tale.state.status) == (phase, status)




@pytest.mark.parametrize("happens", [story[0] for story in STORIES if story[2]])
def test_states_groups_and_news_survive_the_store(happens: str) -> None:
    tale = Tale()
    for word in words(happens):
        tale.tell(word)
    assert tale.state is not None
    assert AlertState.from_dict(json.loads(json.dumps(tale.state.to_dict()))) == tale.state
    for group in tale.groups.values():
        assert GroupState.from_dict(json.loads(json.dumps(group.to_dict()))) == group
    for news in tale.heard:
        assert Notify.from_dict(json.loads(json.dumps(news.to_dict()))) == news


def test_each_notification_of_a_life_has_its_own_key() -> None:
    tale = Tale()
    for word in ("CRITICAL", "WARNING", "CRITICAL", "WARNING", "CRITICAL", "OK", "CRITICAL", "OK"):
        tale.tell(word)
    keys = [news.key for news in tale.heard]
    assert len(keys) == len(set(keys)) == 6


def test_nothing_is_left_of_a_group_that_is_over() -> None:
    tale = Tale()
    for word in ("CRITICAL", "OK"):
        tale.tell(word)
    assert tale.groups == {}


def test_why_nobody_is_told_is_said_once() -> None:
    tale = Tale()
    for word in ("(CRITICAL)", "(CRITICAL)", "(CRITICAL)", "CRITICAL"):
        tale.tell(word)
    said = [(note.reason, note.sentence) for note in tale.notes if note.fingerprint == tale.state.fingerprint]
    assert [reason for reason, _ in said] == ["inhibited", "notified"]
    assert "web3 cannot be reached" in said[0][1]
