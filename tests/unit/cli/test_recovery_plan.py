"""What a restore says before it does anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from roundsman.backups.recovery import best, estimate_s, future_last, password_reference, plan, time_meant, told
from roundsman.times import stamp

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-24", "2026-11-24T23:59:59.999Z"),
        ("2026-11-24 12:00", "2026-11-24T12:00:00.000Z"),
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z"),
        ("2026-11-24T12:00:00+02:00", "2026-11-24T10:00:00.000Z"),
        ("2d", "2026-11-24T12:00:00.000Z"),
        ("90 min ago", "2026-11-26T10:30:00.000Z"),
    ],
)
def test_times_of_people(text: str, meant: str) -> None:
    assert time_meant(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "2 fortnights"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time like"):
        time_meant(text, NOW)


def snapshot(name: str, restore_s: float | None = None, total_bytes: int | None = None) -> dict[str, Any]:
    return {
        "id": name * 64, "restore_s": restore_s, "level": "restored" if restore_s else None, "failed_level": None,
        "verified_at": "2026-11-26T06:00:00.000Z" if restore_s else None,
        "backup": {"total_bytes": total_bytes} if total_bytes else None,
    }  # fmt: skip


def restore(**more: Any) -> dict[str, Any]:
    return {
        "source": "shop", "snapshot": "a" * 64, "time": "2026-11-26T00:00:00.000Z", "where": "web1", "target": None,
        "expected_entries": 12, "expected_bytes": 2048, "changes": [{"path": "/srv/a", "problem": "is not there"}],
        "change_count": 1, "extra": [], "extra_count": 0, "stop": ["shop.service"], "gone": [],
        "obstacle": None, "unfinished": None, **more,
    }  # fmt: skip


def test_an_estimate_grows_with_the_snapshot_and_never_shrinks() -> None:
    assert estimate_s(1000, []) is None
    assert estimate_s(1000, [snapshot("a", 10.0, 1000)]) == 10.0
    assert estimate_s(4000, [snapshot("a", 10.0, 1000)]) == 40.0
    assert estimate_s(1, [snapshot("a", 10.0, 1000), snapshot("b")]) == 10.0


def test_a_plan_tells_what_speaks_for_it_and_what_it_does() -> None:
    tried = plan(restore(), [snapshot("a", 3.0, 2048)], NOW, nothing_to_do=False)
    words = dict(told(tried, NOW, delete=False, safety=True))
    assert words["evidence"] == "restored, 6 h ago"
    assert words["time"].startswith("about 3.0 s")
    assert words["overwrites"] == "1 entry, changed or missing now: /srv/a (is not there)"
    assert words["stops"] == "shop.service; what ran is started again"
    untried = dict(told(plan(restore(), [], NOW, nothing_to_do=False), NOW, delete=False, safety=False))
    assert untried["evidence"].startswith("none")
    assert untried["before"].startswith("NO safety snapshot")


def test_extra_files_are_kept_unless_they_are_to_go() -> None:
    one = plan(restore(extra=["/srv/new"], extra_count=1), [], NOW, nothing_to_do=False)
    assert "/srv/new" in dict(told(one, NOW, delete=False, safety=True))["keeps"]
    assert "/srv/new" in dict(told(one, NOW, delete=True, safety=True))["deletes"]


def test_what_is_gone_cannot_be_saved_or_was_left_is_told() -> None:
    left = {"snapshot": "b" * 64, "began_at": "2026-11-26T11:00:00.000Z", "safety": "c" * 64, "stopped": ["a.service"]}
    one = plan(restore(gone=["no database a"], obstacle="down", unfinished=left), [], NOW, nothing_to_do=False)
    words = dict(told(one, NOW, delete=False, safety=True))
    ended = plan(restore(changes=[], change_count=0, unfinished=left), [], NOW, nothing_to_do=False)
    assert dict(told(ended, NOW, delete=False, safety=True))["overwrites"].startswith("nothing")
    assert words["gone"] == "no database a: there is nothing of it to save"
    assert words["obstacle"].endswith("nothing would be restored: down")
    for said in ("bbbbbbbb, begun at 2026-11-26T11:00:00Z", "safety snapshot cccccccc", "had stopped a.service"):
        assert said in words["unfinished"]


def test_elsewhere_nothing_is_overwritten() -> None:
    words = dict(told(plan(restore(target="/tmp/back"), [], NOW, nothing_to_do=False), NOW, delete=False, safety=True))
    assert words["to"] == "/tmp/back on web1"
    assert "overwrites" not in words


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{{ vault_password }}", "{{ vault_password }} in the inventory"),
        ("{{ lookup('env', 'PASSWORD') }}", "lookup('env', 'PASSWORD')"),
        ({"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256 6162"}, "encrypted with ansible-vault"),
        ("hunter2", "the value of roundsman_repository_password"),
        ("{{ 'hunter2' | upper }}", "the value of roundsman_repository_password"),
        ("{{ lookup('env', 'A') }}hunter2{{ lookup('env', 'B') }}", "the value of roundsman_repository_password"),
        (None, "does not set"),
    ],
)
def test_a_password_is_told_by_reference_only(written: Any, told: str) -> None:
    assert told in password_reference(written)
    assert "hunter2" not in password_reference(written)
    assert "6162" not in password_reference(written)


def test_the_best_snapshot_is_the_newest_that_nothing_speaks_against() -> None:
    def row(name: str, **more: Any) -> dict[str, Any]:
        return {**snapshot(name), "source": "shop", "complete": True, **more}

    newest_first = [row("d", complete=False), row("c", failed_level="restored"), row("b"), row("a")]
    assert [one["id"][0] for one in best(newest_first)] == ["b"]
    assert [one["id"][0] for one in best(newest_first[:2])] == ["c"]


def test_a_snapshot_from_the_future_is_the_best_only_where_there_is_no_other() -> None:
    def row(name: str, time: str) -> dict[str, Any]:
        return {**snapshot(name), "source": "shop", "complete": True, "time": time}

    newest_first = [row("c", "2099-01-01T00:00:00.000Z"), row("b", stamp(NOW)), row("a", stamp(NOW - timedelta(1)))]
    assert [one["id"][0] for one in future_last(newest_first, NOW)] == ["b", "a", "c"]
    assert [one["id"][0] for one in best(future_last(newest_first, NOW))] == ["b"]
    assert [one["id"][0] for one in best(future_last(newest_first[:1], NOW))] == ["c"]
