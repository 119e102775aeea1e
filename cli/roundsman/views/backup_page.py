"""The report on backups as one page: nothing is loaded from anywhere, it prints, and follows light or dark."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..backups.report import BackupReport
from ..times import moment, span
from ..words import size
from .backup_report import MEANING, ago, as_of, proof, summary

WIDTH, HEIGHT, EDGE = 120, 24, 3


def backup_page(report: BackupReport) -> str:
    environment = Environment(
        loader=PackageLoader("roundsman", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(size=size, span=span, ago=lambda at: ago(report, at), utc=_utc, trend=trend)
    template = environment.get_template("backup_report.html.j2")
    return template.render(
        report=report, sentences=[sentence.partition(": ") for sentence in summary(report)], meaning=MEANING,
        as_of=lambda one: as_of(report, one), proof=lambda one: proof(report, one), width=WIDTH, height=HEIGHT,
    )  # fmt: skip


def _utc(at: str | None) -> str:
    return f"{moment(at):%Y-%m-%d %H:%M} UTC" if at else "never"


def trend(restores: Sequence[tuple[str, float]]) -> str:
    """How long restores took, as the points of a line in WIDTH x HEIGHT, from nothing up to the slowest."""
    slowest = max(took for _at, took in restores) or 1.0
    step = (WIDTH - 2 * EDGE) / max(1, len(restores) - 1)
    return " ".join(
        f"{EDGE + number * step:.1f},{HEIGHT - EDGE - took / slowest * (HEIGHT - 2 * EDGE):.1f}"
        for number, (_at, took) in enumerate(restores)
    )
