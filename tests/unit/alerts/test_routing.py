"""The tree of routes: who gets an alert, in which group, and when nobody does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from roundsman.alerts.intervals import Interval
from roundsman.alerts.matchers import parse
from roundsman.alerts.routing import Route, Verdict, paths, trace, tree

SUNDAY = datetime(2026, 11, 29, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
INTERVALS = {"weekend": [Interval(weekdays=[(0, 0), (6, 6)])], "workdays": [Interval(weekdays=[(1, 5)])]}


def node(text: str, **given: Any) -> dict[str, Any]:
    return {"matchers": parse(text), **given}


def receivers(root: Route, **labels: str) -> list[str]:
    return [route.receiver for route in paths(root, labels)]


TREE = tree(
    {
        "receiver": "team",
        "group_by": ("host",),
        "routes": [
            node("severity=critical", receiver="pager", **{"continue": True}),
            node(
                "team=db",
                receiver="db",
                group_wait=timedelta(0),
                routes=[node("host=~db[12]", receiver="shop", group_by=("...",)), node("host=db3")],
            ),
            node("team=~.+", receiver="chat"),
        ],
    }
)


def test_children_come_first_and_the_first_that_matches_ends_it() -> None:
    assert receivers(TREE) == ["team"]
    assert receivers(TREE, team="web") == ["chat"]
    assert receivers(TREE, team="db") == ["db"]
    assert receivers(TREE, team="db", host="db1") == ["shop"]
    assert receivers(TREE, team="db", host="db3") == ["db"]


def test_a_route_that_continues_adds_its_receiver() -> None:
    assert receivers(TREE, severity="critical") == ["pager"]
    assert receivers(TREE, severity="critical", team="db", host="db2") == ["pager", "shop"]


def test_what_is_not_given_is_inherited() -> None:
    pager, db, _ = TREE.routes
    assert (pager.group_by, pager.group_wait, pager.repeat_interval) == (
        ("host",),
        timedelta(seconds=30),
        timedelta(hours=4),
    )
    assert db.routes[1].group_wait == timedelta(0)
    assert db.routes[1].group_by == ("host",)
    assert db.routes[1].receiver == "db"


def test_groups() -> None:
    labels = {"host": "db1", "check": "disk", "team": "db"}
    assert TREE.group_labels(labels) == {"host": "db1"}
    assert TREE.group_labels({"check": "disk"}) == {}
    (route,) = paths(TREE, labels)
    assert route.group_labels(labels) == labels
    assert route.group_key(labels) == '{}/{team="db"}/{host=~"db[12]"}:{check="disk", host="db1", team="db"}'


def test_group_keys_are_written_as_alertmanager_writes_them() -> None:
    root = tree({"receiver": "team", "group_by": ("...",)})
    assert root.group_key({"b": 'é"\\', "a": "1"}) == '{}:{a="1", b="é\\"\\\\"}'


def test_keys_are_stable_and_tell_equal_siblings_apart() -> None:
    twins = [node("a=b", receiver="x", **{"continue": True}), node("a=b", receiver="y"), node("a=c")]
    root = tree({"receiver": "team", "routes": twins})
    assert [route.key for route in root.walk()] == ["{}", '{}/{a="b"}', '{}/{a="b"}#2', '{}/{a="c"}']


def test_every_step_says_why() -> None:
    steps = trace(TREE, {"team": "db", "host": "web1"})
    assert [(step.route.receiver, step.depth, step.verdict, step.why) for step in steps] == [
        ("team", 0, Verdict.DESCENDS, "takes every alert"),
        ("pager", 1, Verdict.REFUSED, 'not severity="critical": severity is not set'),
        ("db", 1, Verdict.NOTIFIES, 'team="db", no route below takes it'),
        ("shop", 2, Verdict.REFUSED, 'not host=~"db[12]": host is web1'),
        ("db", 2, Verdict.REFUSED, 'not host="db3": host is web1'),
        ("chat", 1, Verdict.NOT_TRIED, "a route before it took the alert"),
    ]


def test_mute_and_active_times_are_not_inherited() -> None:
    child = node("a=b")
    quiet = node("a=~.*", mute_time_intervals=["weekend"], active_time_intervals=["workdays"], routes=[child])
    (route,) = tree({"receiver": "team", "routes": [quiet]}).routes
    assert route.muted(SUNDAY, INTERVALS) == ("weekend",)
    assert route.muted(MONDAY, INTERVALS) == ()
    assert route.routes[0].muted(SUNDAY, INTERVALS) == ()


def test_outside_of_all_active_times_is_muted() -> None:
    (route,) = tree({"receiver": "team", "routes": [node("", active_time_intervals=["workdays"])]}).routes
    assert route.muted(SUNDAY, INTERVALS) == ("workdays",)
    assert route.muted(MONDAY, INTERVALS) == ()
