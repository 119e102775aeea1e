"""A page with one of everything, for the tests of its text and of its looks."""

from __future__ import annotations

from roundsman.backups.report import BackupReport, report
from roundsman.views.backup_page import backup_page

from .facts import NOW, ago, found, looked, snapshot
from .test_report import entry, verified

HOSTILE = "/srv/<img src=x onerror=alert(1)>"


def full_report() -> BackupReport:
    took = (14.0, 15.2, 13.8, 19.5, 22.0, 21.1)
    trend = [verified(restore_s=one, time=ago(days=10 - number)) for number, one in enumerate(took)]
    trend.append(verified(restore_s=24.6, drill_s=61.0, level="proven", canary_at=ago(hours=5, minutes=3)))
    off = "its server does not run"
    findings = [
        found(name=HOSTILE, size_bytes=5 << 30),
        found("postgresql", "crm", port=5432, size_bytes=9 << 20),
        found(
            "mariadb", "/var/lib/mysql", status="unknown", problem=off, reason=off, remedy="Start it and look again."
        ),
    ]
    of_db1 = [{"id": "shop", "type": "postgresql", "plan": {"every_s": 21600}}, {"id": "etc", "type": "files"}]
    looks = {
        "db1": looked(*findings, sources=of_db1),
        "web1": looked(sources=[{"id": "www", "type": "files", "plan": {"every_s": 3600}}]),
    }
    rows = [
        snapshot(level="proven"),
        snapshot(id="b" * 64, time=ago(days=30), level="restored"),
        snapshot("web1", "www", level="read", time=ago(hours=9)),
        snapshot("web1", "old", id="c" * 64, time=ago(days=90), level=None, verified_at=None, backup=None),
    ]
    failed = entry(ok=False, time=ago(hours=2), msg="/var is full: 3 MiB free. Nothing was saved.")
    failed["host"], failed["data"]["backup"]["source"] = "db1", "etc"
    entries = [entry("prune", time=ago(hours=4)), *trend, failed]
    return report(["db1", "web1", "mail1"], looks, [], rows, entries, NOW)


def full_page() -> str:
    return backup_page(full_report())
