"""The same alerts into Debian's real Alertmanager and into Roundsman, with the same alertmanager.yml: the webhooks
agree, or the difference is on the list in docs/alerts.md.

Groups are looked at 2, 6 and 10 seconds after the start; things happen at 0, 4 and 8, in the middle between. Each
scenario has a group of its own, so that all of them take place at once. A second lasts longer where the machine turns
out to be too busy for that.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.alertmanager import alertmanager_with
from tests.fleet.roundsman import Listener
from tests.serving import served

DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"
FLUSHES = (2, 6, 10)
# What comes later than this may have met what happened afterwards.
LATE = 1.7
LAST = 13
# How many real seconds one of these is: a play that was not in time is given again, more slowly.
PACES_S = (1, 2, 4, 8)
ENDS = "ends"  # what happens to an alert, if it does not fire
SILENCED = "silenced"

# scenario -> second -> alert -> what becomes of it: a number is the second at which it ends by itself.
Story = Mapping[int, Mapping[str, str | int]]
SCENARIOS: dict[str, Story] = {
    "one": {0: {"A": "fires"}, 4: {"A": ENDS}},
    "together": {0: {"A": "fires", "B": "fires"}},
    "one after the other": {0: {"A": "fires"}, 4: {"B": "fires"}},
    "one of two ends": {0: {"A": "fires", "B": "fires"}, 4: {"A": ENDS}},
    "said again": {0: {"A": "fires"}, 4: {"A": "fires with other words"}},
    "over before it was told": {0: {"A": 1}},
    "ends by itself": {0: {"A": 4}},
    "opens again": {0: {"A": "fires"}, 4: {"A": ENDS}, 8: {"A": "fires"}},
    "never fired": {0: {"A": ENDS}},
    "inhibited": {0: {"Down": "fires", "Slow": "fires"}},
    "inhibition ends": {0: {"Down": "fires", "Slow": "fires"}, 4: {"Down": ENDS}},
    "inhibited when it ends": {0: {"Slow": "fires"}, 4: {"Down": "fires"}, 8: {"Slow": ENDS}},
    "silenced": {0: {"A": SILENCED, "B": "fires"}, 4: {"A": "fires"}},
    "silenced when it ends": {0: {"A": "fires"}, 4: {"A": SILENCED}, 8: {"A": ENDS}},
    "two receivers": {0: {"A": "fires"}, 4: {"A": ENDS}},
    "each alone": {0: {"A": "fires", "B": "fires"}, 4: {"B": ENDS}},
    "muted": {0: {"A": "fires"}},
    "told again": {0: {"A": "fires"}},
    "names its host": {0: {"A": "fires"}},
}
PRIORITY = "priority"
DIFFERENT = {"inhibited when it ends", "silenced when it ends", "names its host"}


def configuration(url: str, pace_s: int) -> dict[str, Any]:
    def only(scenario: str, **more: Any) -> dict[str, Any]:
        return {"matchers": [f'scenario="{scenario}"'], **more}

    return {
        "route": {
            "receiver": "team",
            "group_by": ["scenario"],
            "group_wait": f"{2 * pace_s}s",
            "group_interval": f"{4 * pace_s}s",
            "repeat_interval": "1h",
            "routes": [
                only("two receivers", receiver="pager", **{"continue": True}),
                only("two receivers", receiver="team"),
                only("each alone", group_by=["..."]),
                only("muted", mute_time_intervals=["always"]),
                only("told again", repeat_interval=f"{6 * pace_s}s"),
            ],
        },
        "inhibit_rules": [
            {"source_matchers": ["alertname=Down"], "target_matchers": ["alertname=Slow"], "equal": ["scenario"]}
        ],
        "time_intervals": [{"name": "always", "time_intervals": [{"months": ["1:12"]}]}],
        "receivers": [{"name": name, "webhook_configs": [{"url": url}]} for name in ("team", "pager")],
    }


class Side:
    """One of the two, and what it told."""

    def __init__(self, url: str, listener: Listener) -> None:
        self.url = url
        self.listener = listener

    def post(self, path: str, document: object) -> None:
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{self.url}/api/v2/{path}", json.dumps(document).encode(), headers)) as answer:
            assert answer.status == 200

    def alerts(self) -> list[dict[str, Any]]:
        """All that the webhook got, as often as it got them."""
        return [alert for document in self.listener.deliveries for alert in document["alerts"]]

    def heard(self) -> dict[tuple[str, str], list[Any]]:
        """Scenario and receiver -> what it was told, message by message; groups of a scenario in any order."""
        found = defaultdict(list)
        for document in list(self.listener.deliveries):
            scenario = document["groupLabels"]["scenario"]
            group = _without_priority(document["groupLabels"])
            said = (document["status"], group, sorted(map(_alert, document["alerts"])))
            found[scenario, document["receiver"]].append(said)
        found["told again", "team"] = found["told again", "team"][:2]
        found["each alone", "team"].sort(key=str)
        return dict(found)


def _without_priority(labels: Mapping[str, str]) -> dict[str, str]:
    """Roundsman gives it to every alert."""
    return {name: value for name, value in labels.items() if name != PRIORITY}


def _alert(alert: Mapping[str, Any]) -> tuple[str, str, datetime, datetime]:
    begun, ended = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    labels = ",".join(f"{name}={value}" for name, value in sorted(_without_priority(alert["labels"]).items()))
    return labels, alert["status"], begun, ended


def documents(second: int, start: datetime, pace_s: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is posted at that second, and where to."""

    def moment(second: int) -> datetime:
        return start + timedelta(seconds=second * pace_s)

    at = moment(second)
    for scenario, story in SCENARIOS.items():
        for name, what in story.get(second, {}).items():
            if what == SILENCED:
                wanted = {"scenario": scenario, "alertname": name}
                matchers = [{"name": key, "value": value, "isRegex": False} for key, value in wanted.items()]
                ends_at = at + timedelta(hours=1)
                yield "silences", {
                    "matchers": matchers, "startsAt": at.isoformat(), "endsAt": ends_at.isoformat(),
                    "createdBy": "anna", "comment": "new disk",
                }  # fmt: skip
                continue
            labels = {"alertname": name, "scenario": scenario}
            if scenario == "names its host":
                labels["instance"] = "web1:9100"
            # When it last began to fire.
            begun = max((then for then in story if then <= second and story[then].get(name) != ENDS), default=second)
            begun = 0 if what == "fires with other words" else begun
            ends_at = at if what == ENDS else moment(what if isinstance(what, int) else 3600)
            yield "alerts", {
                "labels": labels, "annotations": {"summary": str(what)},
                "startsAt": moment(begun).isoformat(), "endsAt": ends_at.isoformat(),
            }  # fmt: skip


def play(sides: tuple[Side, ...], pace_s: int) -> bool:
    """Whether all came in time, so that it can be compared."""
    start = datetime.now(UTC)

    def second_now() -> float:
        return (datetime.now(UTC) - start).total_seconds() / pace_s

    in_time = True
    for second in (0, 4, 8):
        time.sleep(max(0.0, second - second_now()) * pace_s)
        posts = list(documents(second, start, pace_s))
        for side in sides:
            # Silences first: they are there before what they silence.
            for path, document in sorted(posts, key=lambda post: post[0] != "silences"):
                if path == "silences":
                    side.post(path, document)
            side.post("alerts", [document for path, document in posts if path == "alerts"])
        in_time = in_time and second_now() - second < LATE
    time.sleep(max(0.0, LAST - second_now()) * pace_s)
    told = [(at - start.timestamp()) / pace_s for side in sides for at in side.listener.at]
    return in_time and all(any(0 <= at - flush < LATE for flush in FLUSHES) for at in told)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Side]:
    """Alertmanager and Roundsman, after a play. On a machine that is too busy to be in time it is played again."""
    for pace_s in PACES_S:
        sides, in_time = played(tmp_path_factory.mktemp("both"), pace_s)
        if in_time:
            return sides
    pytest.fail("the machine was too busy to be in time, however slowly it was played")


def played(folder: Path, pace_s: int) -> tuple[tuple[Side, Side], bool]:
    theirs, ours = Listener(), Listener()
    with alertmanager_with(folder, configuration(theirs.url, pace_s)) as alertmanager:
        receivers = [{"name": name, "urls": [ours.url]} for name in ("team", "pager")]
        # All scenarios are played at once, which would be a storm.
        alerts = {"tick": "1s", "storm": 1000, "alertmanager": str(folder / "alertmanager.yml"), "receivers": receivers}
        with served(folder, json.dumps(alerts)) as server:
            sides = Side(alertmanager.url, theirs), Side(server.url, ours)
            in_time = play(sides, pace_s)
    theirs.close()
    ours.close()
    return sides, in_time


def of(heard: Mapping[tuple[str, str], list[Any]], scenario: str) -> dict[str, list[Any]]:
    return {receiver: told for (one, receiver), told in heard.items() if one == scenario}


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - DIFFERENT))
def test_they_agree(both: tuple[Side, Side], scenario: str) -> None:
    theirs, ours = both
    expected = of(theirs.heard(), scenario)
    silent = {"over before it was told", "never fired", "muted"}
    assert bool(expected) is (scenario not in silent)
    assert of(ours.heard(), scenario) == expected


def statuses(side: Side, scenario: str) -> list[list[tuple[str, str]]]:
    """Message by message, the name and status of each alert."""
    told = of(side.heard(), scenario)["team"]
    return [[(re.findall(r"alertname=(\w+)", labels)[0], status) for labels, status, *_ in one[2]] for one in told]


def test_an_end_is_told_whatever_holds_the_alert_meanwhile(both: tuple[Side, Side]) -> None:
    theirs, ours = both
    assert statuses(theirs, "silenced when it ends") == [[("A", "firing")]]
    assert statuses(ours, "silenced when it ends") == [[("A", "firing")], [("A", "resolved")]]
    before = [[("Slow", "firing")], [("Down", "firing")]]
    assert statuses(theirs, "inhibited when it ends") == before
    assert statuses(ours, "inhibited when it ends") == [*before, [("Down", "firing"), ("Slow", "resolved")]]


def test_an_alert_of_a_host_says_so(both: tuple[Side, Side]) -> None:
    (_, _, [theirs]), (_, _, [ours]) = (of(side.heard(), "names its host")["team"][0] for side in both)
    assert theirs[0] == "alertname=A,instance=web1:9100,scenario=names its host"
    assert ours[0] == "alertname=A,host=web1,instance=web1:9100,scenario=names its host"
    assert ours[1:] == theirs[1:]


def test_every_alert_has_a_priority(both: tuple[Side, Side]) -> None:
    theirs, ours = ({alert["labels"].get(PRIORITY) for alert in side.alerts()} for side in both)
    assert (theirs, ours) == ({None}, {"P4"})


def test_the_list_of_differences_is_the_documented_one() -> None:
    listed = DOCS.read_text().partition("### Where it differs from Alertmanager")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)`", listed, re.MULTILINE)) == {*DIFFERENT, "any"}
