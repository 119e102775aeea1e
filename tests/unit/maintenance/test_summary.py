"""What came of a procedure, in words and status."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.plugin_utils.maintenance import regressions, summed_up
from hypothesis import given
from hypothesis import strategies as st

STATUSES = ("OK", "WARNING", "UNKNOWN", "CRITICAL")


def check(name: str, status: str = "OK", value: float | None = None, kind: str = "") -> dict[str, Any]:
    return {"id": name, "type": kind or name, "status": status, "value": value, "message": f"{name} is {status}"}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ([check("systemd")], [check("systemd")], []),
        ([check("systemd")], [check("systemd", "CRITICAL")], ["systemd"]),
        ([check("systemd", "CRITICAL")], [check("systemd", "CRITICAL")], []),
        ([check("disk", "WARNING")], [check("disk", "CRITICAL")], ["disk"]),
        ([check("disk", "CRITICAL")], [check("disk")], []),
        ([], [check("mount", "CRITICAL")], ["mount"]),
        ([check("shop", value=0.2, kind="http")], [check("shop", value=2.2, kind="http")], ["shop"]),
        ([check("shop", value=0.2, kind="http")], [check("shop", value=0.5, kind="http")], []),
        ([check("shop", value=0.001, kind="http")], [check("shop", value=0.1, kind="http")], []),
        ([check("load", value=0.2)], [check("load", value=9.0)], []),
    ],
)
def test_only_what_got_worse_is_a_regression(before: Any, after: Any, found: list[str]) -> None:
    assert [one["check"] for one in regressions(after, before)] == found


def test_what_a_procedure_may_make_worse_is_none() -> None:
    after = [check("reboot", "WARNING", kind="updates"), check("uptime", "WARNING")]
    before = [check("reboot", kind="updates"), check("uptime")]
    assert regressions(after, before, ["updates", "uptime"]) == []


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(STATUSES))))
def test_an_unchanged_or_better_host_never_fails_a_procedure(pairs: list[tuple[str, str]]) -> None:
    ordered = [sorted(pair, key=STATUSES.index) for pair in pairs]
    before = [check(str(number), worse) for number, (_, worse) in enumerate(ordered)]
    after = [check(str(number), better) for number, (better, _) in enumerate(ordered)]
    assert regressions(after, before) == []
    changed = [str(number) for number, (better, worse) in enumerate(ordered) if better != worse]
    assert [one["check"] for one in regressions(before, after)] == changed


def parts(**more: Any) -> dict[str, Any]:
    step = {
        "actions": [{"action": "remove", "target": "/tmp/x"}], "before": {"used_bytes": 10}, "after": {"used_bytes": 4},
        "reclaimed_bytes": 6, "warnings": [], "message": "removed 1 file",
    }  # fmt: skip
    blank = {
        "procedure": "caches", "host": "web1", "phase": "verify", "failure": None, "lease": 7, "records": [step],
        "regressions": [], "after": [check("load")], "backup": {}, "rollback": None, "warnings": [], "previous": [],
        "duration_s": 1.0,
    }  # fmt: skip
    return {**blank, **more}


FAILURE = {"msg": "no route", "reason": "locked"}
FETCHED = {**parts()["records"][0], "actions": [{"action": "fetch", "target": "shop 1.0 -> 2.0"}]}


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({}, "completed", "caches of web1: removed 1 file"),
        ({"warnings": ["one kernel stays"]}, "completed-with-warnings", "caches of web1: removed 1 file"),
        (
            {"phase": "pre-check", "failure": FAILURE, "records": []},
            "skipped",
            "caches of web1 skipped, nothing was done: no route",
        ),
        (
            {"phase": "backup", "failure": FAILURE},
            "failed",
            "caches of web1 not begun, for what it touches could not be saved: no route",
        ),
        (
            {"phase": "execute", "failure": {**FAILURE, "msg": "no route."}, "rollback": "none"},
            "failed",
            "caches of web1 failed: no route. Nothing was rolled back; the actions say what was done",
        ),
        (
            {"failure": {"msg": ""}, "rollback": "done", "regressions": regressions([check("api", "CRITICAL")], [])},
            "rolled-back",
            (
                "caches of web1 done, but verification failed: worse than before: api is CRITICAL: api is CRITICAL. "
                "It was rolled back, and the host is as before"
            ),
        ),
        # A step that failed before its first change: what a rollback says of it does not count.
        (
            {"phase": "execute", "failure": {**FAILURE, "step": True}, "rollback": "done", "records": [FETCHED]},
            "failed",
            "caches of web1 failed: no route. Nothing was changed",
        ),
        (
            {"phase": "execute", "failure": {**FAILURE, "step": True}, "rollback": "failed", "records": []},
            "failed",
            "caches of web1 failed: no route. Nothing was changed",
        ),
        # Tasks of Ansible's own are in no journal.
        (
            {"phase": "execute", "failure": FAILURE, "rollback": "done", "records": []},
            "rolled-back",
            "caches of web1 failed: no route. It was rolled back, and the host is as before",
        ),
        (
            {"phase": "execute", "failure": {**FAILURE, "step": True}, "rollback": "done"},
            "rolled-back",
            "caches of web1 failed: no route. It was rolled back, and the host is as before",
        ),
        (
            {"failure": FAILURE, "rollback": "failed"},
            "failed",
            (
                "caches of web1 done, but verification failed: no route. THE ROLLBACK FAILED, TOO: the host is neither "
                "as before nor as it should be"
            ),
        ),
    ],
)
def test_status_and_words(more: dict[str, Any], status: str, said: str) -> None:
    record = summed_up(parts(**more))
    assert (record["status"], record["message"]) == (status, said)


def test_figures_are_those_before_the_first_step_and_after_the_last() -> None:
    one, two = parts()["records"] * 2
    two = {**two, "before": {"used_bytes": 4, "inodes": 9}, "after": {"used_bytes": 1}, "reclaimed_bytes": None}
    record = summed_up(parts(records=[one, two]))
    assert record["before"] == {"used_bytes": 10, "inodes": 9}
    assert record["after"] == {"used_bytes": 1}
    assert record["reclaimed_bytes"] == 6
