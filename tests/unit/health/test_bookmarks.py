"""What checks leave for the next round, and when it is kept."""

import stat

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.family import NotThereError, finding
from ansible_collections.roundsman.fleet.plugins.module_utils.health import run_all
from ansible_collections.roundsman.fleet.plugins.plugin_utils import bookmarks

from .builders import invented

NOW = 1_800_000_000.0
DAY = 86400


def counts(context):
    before = context.bookmark or 0
    context.leave(before + 1)
    return finding("OK", "counted", before)


def is_not_there(_context):
    raise NotThereError("no such thing", "get one")


def test_a_check_gets_what_it_left():
    first, left = run_all([invented("counts", counts)], None, "test")
    second, left_again = run_all([invented("counts", counts)], None, "test", left)
    assert (first[0]["value"], second[0]["value"], left_again) == (0, 1, {"counts": 2})


def test_a_check_that_came_too_late_leaves_nothing():
    def late(context):
        context.leave("read to the end")
        __import__("time").sleep(60)

    results, left = run_all([invented("late", late, limit_s=0.1)], None, "test")
    assert (results[0]["status"], left) == ("UNKNOWN", {})


def test_what_is_not_there_is_unknown_or_with_optional_no_result():
    wanted, optional = invented("wanted", is_not_there), invented("optional", is_not_there, optional=True)
    results, _left = run_all([wanted, optional], None, "test")
    assert [(result["id"], result["status"], result["remedy"]) for result in results] == [
        ("wanted", "UNKNOWN", "get one")
    ]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv(bookmarks.DIRECTORY, str(tmp_path / "bookmarks"))
    return tmp_path / "bookmarks"


def test_nobody_keeps_them_nothing_is_recalled(monkeypatch):
    monkeypatch.delenv(bookmarks.DIRECTORY, raising=False)
    assert bookmarks.recall("alba") == {}


def test_they_are_kept_per_host_and_check_and_only_for_this_user(shelf):
    bookmarks.keep(str(shelf), "alba", {"log": [7, 100], "rate": 5}, NOW)
    bookmarks.keep(str(shelf), "../bela", {"log": [8, 1]}, NOW)
    bookmarks.keep(str(shelf), "alba", {"log": [7, 200]}, NOW + DAY)
    assert bookmarks.recall("alba") == {"log": [7, 200], "rate": 5}
    assert bookmarks.recall("../bela") == {"log": [8, 1]}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (shelf, *shelf.iterdir())] == [0o700, 0o600, 0o600]


def test_what_is_old_or_damaged_is_as_never_left(shelf):
    bookmarks.keep(str(shelf), "alba", {"gone": 1}, NOW)
    bookmarks.keep(str(shelf), "alba", {"log": 2}, NOW + 31 * DAY)
    assert bookmarks.recall("alba") == {"log": 2}
    next(shelf.iterdir()).write_text("{")
    assert bookmarks.recall("alba") == {}
