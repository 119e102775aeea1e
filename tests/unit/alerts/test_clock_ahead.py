"""The controller's clock was a year ahead for a while, and is right again: what was decided then holds nothing up."""

from __future__ import annotations

import pytest

from .cast import MUCH_LATER, Tale, at


@pytest.fixture
def tale() -> Tale:
    """Told while the clock was wrong."""
    tale = Tale()
    tale.minute = (MUCH_LATER - at(0)).total_seconds() / 60
    tale.tell("WARNING")
    tale.minute = 0
    return tale


def test_news_of_a_group_are_told(tale: Tale) -> None:
    assert [news.kind for news in tale.tell("CRITICAL")] == ["worsened"]
    assert [news.kind for news in tale.tell("OK")] == ["resolved"]


def test_a_process_that_looked_at_the_clock_before_another_one_told_tells_nothing_again() -> None:
    tale = Tale()
    assert [news.kind for news in tale.tell("WARNING")] == ["opened"]
    tale.minute -= 0.01
    assert tale.flush() == []


def test_what_still_fires_is_told_again(tale: Tale) -> None:
    assert [news.kind for news in tale.tell("WARNING")] == ["still firing"]
    assert tale.tell("WARNING") == []
