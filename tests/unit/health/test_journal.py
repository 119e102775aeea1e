"""The journal, from what journalctl really prints to a verdict."""

import json
import time

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import journal_worker
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import journal
from ansible_collections.roundsman.fleet.plugins.module_utils.family import CannotLookError, NotThereError
from ansible_collections.roundsman.fleet.plugins.module_utils.journal_worker import count, is_new, text_of

from .builders import keys_of

BOOT, BEFORE = "b" * 32, "a" * 32
MINUTE = 60 * 10**6
NOW = [BOOT, 1000.0, 1_800_000_000.0]


def entry(message="it broke", minute=0, boot=BOOT):
    return {
        "_BOOT_ID": boot,
        "__MONOTONIC_TIMESTAMP": str(minute * MINUTE),
        "__REALTIME_TIMESTAMP": str(10**15 + minute * MINUTE),
        "MESSAGE": message,
        "_SYSTEMD_UNIT": "shop.service",
    }


def counted(*entries, seen=(BOOT, 0, 10**15), **request):
    lines = [b"-- a remark --\n", *(json.dumps(one).encode() + b"\n" for one in entries)]
    request = {"match": None, "ignore": None, "boot": BOOT, "seen": list(seen), **request}
    return count(iter(lines), request, time.monotonic() + 60)


def test_entries_are_counted_down_to_the_one_that_was_seen():
    sums = counted(entry("third", 3), entry("second", 2), entry("first", 1), seen=(BOOT, MINUTE, 10**15))
    assert (sums["found"], sums["last"], sums["ended"]) == (2, "shop.service: third", "old")
    assert sums["newest"] == [BOOT, 3 * MINUTE, 10**15 + 3 * MINUTE]


def test_nothing_new():
    assert counted(entry("seen", 0))["newest"] is None
    assert counted()["ended"] == "all"


def test_match_and_ignore():
    entries = entry("it broke", 3), entry("it broke as expected", 2), entry("fine", 1)
    assert counted(*entries, match="broke", ignore="expected")["found"] == 1


@pytest.mark.parametrize(
    ("place", "new"),
    [
        ((BOOT, 6, 1), True),  # the clock was set back
        ((BOOT, 5, 99), False),
        ((BEFORE, 99, 49), False),
        ((BEFORE, 1, 51), True),  # a boot between
    ],
)
def test_what_is_new_within_a_boot_goes_by_its_own_time(place, new):
    assert is_new(list(place), [BOOT, 5, 50], BOOT) is new


def test_after_a_reboot_everything_of_the_new_boot_is_new_whatever_its_clock_said():
    assert is_new([BOOT, 1, 1], [BEFORE, 5, 50], BOOT)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([255, 104, 105, 0], "\N{REPLACEMENT CHARACTER}hi\0"),
        (["one", "two"], "one"),
        ([[104, 105], "two"], "hi"),
        ([], ""),
    ],
)
def test_messages_that_are_no_text(raw, text):
    assert text_of(raw) == text


def test_a_flood_is_cut_and_its_rate_is_over_what_was_read(monkeypatch):
    monkeypatch.setattr(journal_worker, "MOST_ENTRIES", 100)
    sums = counted(*[entry(minute=1000 - number) for number in range(500)])
    assert (sums["found"], sums["ended"]) == (99, "early")  # and a remark


def verdict(found, seconds, first=False, ended="old", **keys):
    spec = keys_of({"type": "journal", **keys})
    return journal.judge_sums(spec, {"found": found, "last": "shop: no\x1b[31m", "ended": ended}, seconds, first)


def test_the_verdict_is_about_the_rate():
    fine = verdict(5, 300)
    assert (fine.status, fine.unit, round(fine.value * 60, 3)) == ("OK", "/s", 1.0)
    bad = verdict(20, 600, crit="1.5/min", units=["shop.service"], match="no")
    assert bad.status == "CRITICAL"
    assert bad.message == (
        "20 journal entries of shop.service (err and worse) that match no in 10 min, 2/min (crit 1.5/min); "
        "the last: shop: no [31m"
    )
    assert bad.perfdata == "'entries per second'=0.033333;0.016667;0.025;0 'entries'=20;;;0"
    assert "[31m" not in verdict(20, 600, quote=False).message
    assert "older ones that were not counted" in verdict(1, 60, ended="early").message


def test_one_entry_right_after_the_last_look_is_no_storm():
    assert verdict(1, 2).status == "OK"
    assert verdict(2, 2).status == "WARNING"


def test_the_first_look_goes_back_so_far():
    seen, seconds, first = journal.begin(None, NOW, 900)
    assert (seen, seconds, first) == ([BOOT, 100_000_000, 1_799_999_100_000_000], 900, True)


@pytest.mark.parametrize("bookmark", [3, [], {"seen": 1}, {"seen": [1, 2, 3], "looked": None}, {"looked": [1, 2, 3]}])
def test_a_strange_bookmark_is_like_none(bookmark):
    assert journal.begin(bookmark, NOW, 60)[2] is True


@pytest.mark.parametrize(
    ("looked", "seconds"),
    [
        ([BOOT, 400.0, 1_900_000_000.0], 600.0),  # the clock was wrong then
        ([BEFORE, 99999.0, 1_799_999_000.0], 1000.0),
        ([BEFORE, 1.0, 1_900_000_000.0], 0.0),
    ],
)
def test_the_time_since_the_last_look(looked, seconds):
    bookmark = {"seen": [BOOT, 1, 2], "looked": looked}
    assert journal.begin(bookmark, NOW, 60) == ([BOOT, 1, 2], seconds, False)


@pytest.mark.parametrize(
    ("words", "code", "kind", "text"),
    [
        ("Hint: You are currently not seeing messages from other users and", 0, CannotLookError, "no permission"),
        ("No journal files were opened due to insufficient permissions.", 1, CannotLookError, "no permission"),
        ("No journal files were found.", 0, NotThereError, "there is no journal"),
        ("Failed to add match: Invalid argument", 1, CannotLookError, "Failed to add match"),
        ("", 1, CannotLookError, "journalctl ended with 1"),
    ],
)
def test_what_keeps_from_looking(words, code, kind, text):
    with pytest.raises(kind, match=text):
        journal.refuse(code, words)
    journal.refuse(-9, "")


def test_the_command():
    assert journal_worker.command({"priority": "err", "units": ["a", "b*"]})[-3:] == [
        "--priority=err", "--unit=a", "--unit=b*",
    ]  # fmt: skip
    assert journal_worker.command({"priority": "err", "units": []})[-2].startswith("--output-fields=")
