"""What one message is about."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.grouping import Group, worst_first
from roundsman.alerts.model import AlertState, Notify, NotifyKind, Status

from .cast import Tale, alert


def news(kind: NotifyKind, *words: str, key: str = "1", **changed: str) -> Notify:
    state = AlertState.from_dict({**alert(*words).to_dict(), **changed})
    return Notify(kind, state, f"{key}/{state.fingerprint}")


def group(*notifications: Notify) -> Group:
    return Group("team", '{}:{host="web3"}', {"host": "web3"}, worst_first(notifications))


def test_the_worst_comes_first_and_what_is_over_last() -> None:
    one = group(
        news(NotifyKind.RESOLVED, "CRITICAL", "OK", fingerprint="a", check="cpu"),
        news(NotifyKind.OPENED, "WARNING", fingerprint="b", check="load"),
        news(NotifyKind.STILL, "CRITICAL", fingerprint="c", check="inodes"),
        news(NotifyKind.OPENED, "CRITICAL", fingerprint="d"),
    )
    assert [item.alert.check for item in one.notifications] == ["disk", "inodes", "load", "cpu"]
    assert (one.severity, one.kind, len(one.firing), one.name) == (Status.CRITICAL, NotifyKind.OPENED, 3, "web3")


def test_a_group_over_hosts_is_called_by_its_labels() -> None:
    over = (news(NotifyKind.OPENED, "CRITICAL"), news(NotifyKind.OPENED, "CRITICAL", host="db2", fingerprint="x"))
    assert Group("team", "{}", {"severity": "critical"}, over).name == "critical"
    assert Group("team", "{}", {}, over).name == "2 hosts"


def test_what_nobody_was_told_yet_goes_out_with_what_is_newer() -> None:
    earlier = group(
        news(NotifyKind.OPENED, "CRITICAL", fingerprint="a"),
        news(NotifyKind.OPENED, "CRITICAL", fingerprint="b"),
        news(NotifyKind.RESOLVED, "CRITICAL", "OK", fingerprint="c"),
    )
    newer = group(
        news(NotifyKind.STILL, "CRITICAL", fingerprint="a", key="2"),
        news(NotifyKind.RESOLVED, "CRITICAL", "OK", fingerprint="b", key="2"),
    )
    together = {item.alert.fingerprint: item.kind for item in newer.after(earlier).notifications}
    assert together == {"a": NotifyKind.OPENED, "b": NotifyKind.RESOLVED, "c": NotifyKind.RESOLVED}


@given(st.lists(st.sampled_from(["CRITICAL", "WARNING", "OK", "ack", "unack", "night"]), min_size=1, max_size=8))
def test_a_message_survives_the_store(words: list[str]) -> None:
    tale = Tale()
    for word in words:
        tale.tell(word)
    for heard in tale.heard:
        one = group(heard)
        assert Group.from_dict(json.loads(json.dumps(one.to_dict()))) == one
