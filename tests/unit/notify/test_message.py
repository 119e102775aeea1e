"""What people read."""

from __future__ import annotations

import pytest

from roundsman.alerts.model import Notify

from .cast import disk_resolved_by_alice, full_disk, heard, message, problem, repaired_disk

LOAD = heard(problem("load", "load 9", "WARNING"))
TITLES = [
    ([full_disk()], "CRITICAL web3: /var 97% used"),
    ([repaired_disk()], "RESOLVED web3: /var 41% used"),
    ([disk_resolved_by_alice()], "RESOLVED web3: /var 97% used (by alice)"),
    ([full_disk(), LOAD], "2 problems on web3, worst CRITICAL"),
    ([repaired_disk(), LOAD], "WARNING web3: load 9"),
    ([repaired_disk(), heard(problem("load", "load 9"), problem("load", "-", "OK", 1))], "RESOLVED web3: 2 problems"),
    ([heard(problem("disk", "two\nlines\x1b[31m and \u202e more"))], "CRITICAL web3: two lines [31m and more"),
]


@pytest.mark.parametrize(("news", "title"), TITLES, ids=[title for _, title in TITLES])
def test_titles_fit_a_phone(news: list[Notify], title: str) -> None:
    assert message(*news).title == title


def test_a_long_title_is_cut() -> None:
    title = message(heard(problem("disk", "x" * 500))).title
    assert (len(title), title[-1]) == (120, "…")


def test_the_text_of_a_full_disk() -> None:
    assert message().text == (
        "CRITICAL (opened)\n"
        "  /var 97% used\n"
        "  Where:    web3, check disk\n"
        "  Since:    2026-11-23 02:00:00 UTC\n"
        "  Evidence: on /var, value 97 %, warn 80%, crit 90%\n"
        "  Run:      01JD\n"
        "  Try:      roundsman health web3\n"
        "  More:     roundsman alerts show 5c12bc8c40ac\n"
    )


def test_the_text_of_what_alice_resolved() -> None:
    text = message(disk_resolved_by_alice()).text
    assert text.startswith("RESOLVED by alice (was CRITICAL)\n  /var 97% used\n")
    assert "  Until:    2026-11-23 02:05:00 UTC\n" in text


def test_a_damaged_snapshot_shows_its_evidence() -> None:
    facts = {"snapshot": "0123456789abcdef", "failed_level": "read", "mismatch_count": 2, "reason": None}
    text = message(heard(problem("verify:etc", "etc, snapshot 01234567: damaged at level read", **facts))).text
    assert "Evidence: snapshot 0123456789abcdef, failed level read, mismatches 2\n" in text


def test_a_hostile_host_cannot_forge_lines() -> None:
    text = message(heard(problem("disk", "fine\n\nRESOLVED", target="a\nNext: rm -rf /"))).text
    assert "  fine RESOLVED\n" in text
    assert "Evidence: on a Next: rm -rf /\n" in text
