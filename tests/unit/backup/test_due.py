"""When a backup is due, and what a definition may promise."""

from __future__ import annotations

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.due import due_at
from ansible_collections.roundsman.fleet.plugins.module_utils.sources import plan, registry

from .cast import Anna

NOW_S = 1_790_000_000  # 2026-09-21T14:13:20Z
HOUR_AGO, NEXT_YEAR = "2026-09-21T13:13:20.000Z", "2027-09-21T13:13:20.000Z"


@pytest.mark.parametrize(
    ("times", "every_s", "due"),
    [
        ([], 3600, None),
        ([HOUR_AGO], 7200, NOW_S + 3600),
        ([HOUR_AGO], 3600, None),
        ([HOUR_AGO], 3900, None),
        ([NEXT_YEAR], 3600, None),
        ([HOUR_AGO, NEXT_YEAR], 7200, NOW_S + 3600),
    ],
    ids=["never", "young", "old", "a little early", "dated in the future", "the future displaces nothing"],
)
def test_a_backup_is_due_by_the_age_of_the_newest(times: list[str], every_s: int, due: int | None) -> None:
    assert due_at(times, every_s, NOW_S) == due


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30min", 1800), ("6h", 21600), ("1d", 86400), ("2w", 1209600), ("weekly", 604800), ("monthly", 2678400)]
    + [(bad, None) for bad in ("", "0h", "6", "6 hours", "-1d", "yearly", 6, None)],
)
def test_spans(text: object, seconds: int | None) -> None:
    assert plan.seconds(text) == seconds


def test_all_faults_of_a_plan_are_named_at_once() -> None:
    spec = {"id": "etc", "paths": ["/etc"], "every": "often", "prove": 7, "tags": ["ok", "source=x", "safety", 1]}
    found = registry.faults([spec])
    assert [fault.split()[2] for fault in found] == ["every", "prove", "tags:", "tags:", "tags:"]


def test_only_what_is_due_is_saved_and_tags_travel(anna: Anna) -> None:
    anna.write("orders")
    spec = {"every": "1h", "prove": "weekly", "tags": ["nightly"]}
    first = anna.back_up(spec, only_when_due=True)
    again = anna.back_up(spec, only_when_due=True)
    assert (first["changed"], again["changed"]) == (True, False), again
    assert again["backup"]["due_at"] in again["msg"]
    assert [one["id"] for one in again["backup"]["snapshots"]] == [first["backup"]["snapshot"]]
    assert again["backup"]["plan"] == {"every_s": 3600, "verify_every_s": None, "prove_s": 604800, "retention": False}
    assert [one["tags"] for one in anna.snapshots()] == [["nightly"]]
    assert anna.back_up(spec)["changed"]
