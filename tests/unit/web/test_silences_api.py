"""Silences as Alertmanager's clients make, change and end them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .office import Desk, at


def made(desk: Desk, **more: Any) -> str:
    answer = desk.post_silence(**more)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["silenceID"]
    return name


def states(desk: Desk) -> dict[str, str]:
    return {one["id"]: one["status"]["state"] for one in desk.get("/api/v2/silences")}


def test_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.post(desk.alert())
    name = made(desk)
    assert desk.names(silenced="false") == []
    silence = desk.get(f"/api/v2/silence/{name}")
    assert silence["matchers"] == desk.silence()["matchers"]
    assert (silence["createdBy"], silence["comment"]) == ("anna", "new disk")
    assert at(silence["endsAt"]) == at(desk.stamp(60))
    desk.later(1)
    assert desk.client.delete(f"/api/v2/silence/{name}").status_code == 200
    assert desk.client.delete(f"/api/v2/silence/{name}").status_code == 200
    assert states(desk) == {name: "expired"}
    desk.post(desk.alert())
    assert desk.names(silenced="false") == ["HighLoad"]
    desk.later(6 * 24 * 60)
    assert desk.get("/api/v2/silences") == []
    assert desk.get(f"/api/v2/silence/{name}")["status"] == {"state": "expired"}


@pytest.mark.parametrize("regex", [False, True])
@pytest.mark.parametrize("equal", [False, True])
def test_every_kind_of_matcher_comes_back(tmp_path: Path, regex: bool, equal: bool) -> None:
    desk = Desk(tmp_path)
    wanted = [
        {"name": "team", "value": "web", "isRegex": False, "isEqual": True},
        {"name": "what ever", "value": 'a "b"', "isRegex": regex, "isEqual": equal},
    ]
    assert desk.get(f"/api/v2/silence/{made(desk, matchers=wanted)}")["matchers"] == wanted


def test_without_is_equal_it_is_as_before_there_was_such_a_thing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    old = {"name": "team", "value": "w.*", "isRegex": True}
    assert desk.get(f"/api/v2/silence/{made(desk, matchers=[old])}")["matchers"] == [{**old, "isEqual": True}]


def test_longer_is_the_same_silence(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    name = made(desk)
    known = desk.get(f"/api/v2/silence/{name}")
    desk.later(1)
    assert made(desk, id=name, startsAt=known["startsAt"], endsAt=desk.stamp(90), comment="larger disk") == name
    after = desk.get(f"/api/v2/silence/{name}")
    assert (after["comment"], at(after["endsAt"]), after["startsAt"]) == (
        "larger disk", at(desk.stamp(90)), known["startsAt"],
    )  # fmt: skip


def test_about_something_else_it_is_another(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    name = made(desk)
    desk.later(1)
    other = made(desk, id=name, matchers=[{"name": "team", "value": "db", "isRegex": False, "isEqual": True}])
    assert states(desk) == {name: "expired", other: "active"}
    third = made(desk, id=name)
    assert states(desk) == {name: "expired", other: "active", third: "active"}


def test_one_that_is_yet_to_begin(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    name = made(desk, startsAt=desk.stamp(30))
    assert states(desk) == {name: "pending"}
    assert made(desk, id=name, startsAt=desk.stamp(20)) == name
    desk.later(25)
    assert states(desk) == {name: "active"}


def test_a_beginning_that_is_past_is_now(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert at(desk.get(f"/api/v2/silence/{made(desk, startsAt=desk.stamp(-30))}")["startsAt"]) == desk.now


def test_filters_look_at_the_matchers(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    name = made(desk)
    made(desk, matchers=[{"name": "team", "value": "db", "isRegex": False}])
    assert [one["id"] for one in desk.get("/api/v2/silences", filter="team=web")] == [name]
    assert len(desk.get("/api/v2/silences", filter='team=~".+"')) == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"matchers": []}, "matchers"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "matchers"),
        ({"matchers": [{"name": "", "value": "b"}]}, "matchers.0.name"),
        ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, "would silence everything"),
        ({"endsAt": "2026-11-23T01:00:00Z"}, "is over already"),
        ({"endsAt": "0001-01-01T00:00:00Z"}, "startsAt and endsAt"),
        ({"startsAt": "2026-11-23T09:00:00Z"}, "ends after it starts"),
        ({"comment": " "}, "who made it and why"),
        ({"createdBy": None}, "createdBy"),
    ],
)
def test_faults_are_said(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    desk = Desk(tmp_path)
    answer = desk.post_silence(**wrong)
    assert answer.status_code == 400
    assert words in answer.json()
    assert desk.get("/api/v2/silences") == []


def test_what_is_not_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    name = made(desk)
    for abbreviated in (name[:8], "none"):
        assert desk.client.get(f"/api/v2/silence/{abbreviated}").status_code == 404
        assert desk.client.delete(f"/api/v2/silence/{abbreviated}").status_code == 404
        assert desk.post_silence(id=abbreviated).status_code == 404
    assert states(desk) == {name: "active"}
