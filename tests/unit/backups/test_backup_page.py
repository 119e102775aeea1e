"""The report as a page and on a terminal: it holds everything, escapes everything, and loads nothing."""

from __future__ import annotations

import io
import re

from rich.console import Console

from roundsman.backups.report import report
from roundsman.views.backup_page import backup_page, trend
from roundsman.views.backup_report import draw_backup_report

from .facts import NOW
from .pages import HOSTILE, full_page, full_report


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = full_page()
    assert not re.search(r"https?:|<script|<link|<img|@import|url\(|src=\"", page)
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_page_answers_the_four_questions() -> None:
    page = full_page()
    for answer in (
        "2 of 3 sources on 3 hosts.", "9 h ago at worst.", "median 25 s, slowest 25 s",
        "1 answered by the application",
        "proven 1 d ago on spare1", "whole drill 1 min 1 s", "newest data seen: 2026-11-25 20:57 UTC",
        "no longer declared",
        "nobody has looked what is on this host", "{id: postgresql-crm, type: postgresql, database: crm, every: 24h}",
        "/var is full: 3 MiB free. Nothing was saved.",
    ):  # fmt: skip
        assert answer in page, answer


def test_an_empty_store_is_a_page_as_well() -> None:
    page = backup_page(report([], {}, [], [], [], NOW))
    assert "No source is known." in page
    assert "0 of 0 sources on 0 hosts." in page


def test_the_trend_stays_in_its_picture() -> None:
    points = trend([("", 0.0), ("", 10.0), ("", 5.0)])
    assert points == "3.0,21.0 60.0,3.0 117.0,12.0"
    assert trend([("", 0.0)]) == "3.0,21.0"


def test_the_terminal_says_the_same() -> None:
    stream = io.StringIO()
    draw_backup_report(Console(file=stream, width=220), full_report())
    said = stream.getvalue()
    assert "Can be restored: 2 of 3 sources on 3 hosts." in said
    assert "5 h (of 6 h)" in said
    assert "db1 etc: backup, no_space: /var is full" in said
