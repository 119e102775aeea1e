"""From ledgers to the newest result of every check, and to alerts that see hard states only."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.console import Console

from roundsman import ledger
from roundsman.alerts.grouping import Group
from roundsman.insight.freshness import FORGOTTEN_AFTER, GONE_AFTER
from roundsman.store import Store, alerts, checks, outbox, runs, schema
from roundsman.times import stamp
from roundsman.views.draw import draw_report
from roundsman.views.report import report

from .builders import Run, check
from .old_store import old_store

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Rounds:
    """Rounds of web3, one after the other, as the ledger brings them."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder}/store.db")
        self.directory = folder / "ledger"
        self.now = START

    def make(self, *found: dict[str, Any], minutes: float = 5, **how: Any) -> str:
        self.now += timedelta(minutes=minutes)
        run = Run(f"{self.now:%Y%m%dT%H%M%SZ}-00beef", start=f"{self.now:%Y-%m-%dT%H:%M}", **how)
        run.add("health", host="web3", ok=True, changed=False, data={"checks": list(found), "worst": "OK"})
        run.finish(web3={}).write(self.directory)
        self.read()
        return run.id

    def read(self) -> None:
        ledger.catch_up(self.store, self.directory, self.now + timedelta(seconds=30))

    def alerts(self) -> dict[str, str]:
        with self.store.read() as tx:
            return {state["check"]: state["status"] for state in alerts.listed(tx)}

    def checks(self) -> dict[str, dict[str, Any]]:
        with self.store.read() as tx:
            return {row["check"]: row for row in checks.current(tx, "web3")}

    def report(self, run_id: str) -> Any:
        with self.store.read() as tx:
            run = runs.get(tx, run_id)
            assert run is not None
            return report(run, runs.entries_of(tx, run_id), alerts.listed(tx), [], checks.known(tx))


@pytest.fixture
def rounds(tmp_path: Path) -> Rounds:
    return Rounds(tmp_path)


def test_alerts_see_hard_states_only(rounds: Rounds) -> None:
    slow = check("disk", "CRITICAL", attempts=3)
    for _ in range(2):
        rounds.make(slow)
        assert rounds.alerts() == {}
    rounds.make(slow)
    assert rounds.alerts() == {"disk": "CRITICAL"}


def test_the_newest_result_of_every_check_is_kept(rounds: Rounds) -> None:
    rounds.make(check("disk", "OK"), check("load", "OK"))
    rounds.make(check("disk", "WARNING", details={"journal_bytes": 7}), check("load", "OK"))
    kept = rounds.checks()
    assert list(kept) == ["disk", "load"]
    assert kept["disk"]["result"]["details"] == {"journal_bytes": 7}
    assert kept["disk"]["seen_at"] == stamp(rounds.now + timedelta(seconds=2))
    assert kept["disk"]["state"]["hard"] == "WARNING"


def test_a_soft_failure_is_shown_and_counts_but_alerts_nobody(rounds: Rounds) -> None:
    first = rounds.make(check("disk", "CRITICAL", attempts=2), check("load", "WARNING"))
    shown = rounds.report(first)
    assert [(one.check, one.attempt) for one in shown.hosts[0].problems] == [("disk", "attempt 1 of 2"), ("load", None)]
    assert shown.exit_code == 2
    console = Console(file=io.StringIO(), width=200)
    draw_report(console, shown)
    assert "disk is CRITICAL (attempt 1 of 2, no alert yet)" in console.file.getvalue()  # type: ignore[attr-defined]
    second = rounds.make(check("disk", "CRITICAL", attempts=2))
    assert rounds.report(second).hosts[0].problems[0].attempt is None
    assert rounds.report(first).hosts[0].problems[0].attempt is None


def test_an_alert_stays_open_while_its_check_recovers(rounds: Rounds) -> None:
    rounds.make(check("disk", "CRITICAL", recovery_s=600.0))
    rounds.make(check("disk", "OK", recovery_s=600.0))
    rounds.make(check("disk", "OK", recovery_s=600.0))
    assert rounds.alerts() == {"disk": "CRITICAL"}
    with rounds.store.read() as tx:
        fingerprint = alerts.listed(tx)[0]["fingerprint"]
        assert [row["reason"] for row in alerts.timeline_of(tx, fingerprint)] == ["opened", "recovering"]
    rounds.make(check("disk", "OK", recovery_s=600.0))
    assert rounds.alerts() == {}


def test_a_host_that_was_away_does_not_count_as_fine(rounds: Rounds) -> None:
    rounds.make(check("disk", "CRITICAL", recovery_s=600.0))
    rounds.make(check("disk", "OK", recovery_s=600.0))
    rounds.now += timedelta(minutes=30)
    Run("20261123T024000Z-00beef", start=f"{rounds.now:%Y-%m-%dT%H:%M}").unreachable("web3").write(rounds.directory)
    rounds.read()
    assert rounds.alerts() == {"disk": "UNKNOWN", "reachable": "CRITICAL"}
    rounds.make(check("disk", "OK", recovery_s=600.0))
    assert rounds.alerts() == {"disk": "UNKNOWN"}


def test_check_mode_leaves_no_trace(rounds: Rounds) -> None:
    rounds.make(check("disk", "CRITICAL"), check_mode=True)
    assert rounds.checks() == {}


def test_a_check_that_left_the_configuration_is_forgotten_after_a_day(rounds: Rounds) -> None:
    rounds.make(check("disk", "OK"), check("old", "OK"))
    rounds.make(check("disk", "OK"), minutes=60)
    assert set(rounds.checks()) == {"disk", "old"}
    rounds.make(check("disk", "OK"), minutes=GONE_AFTER.total_seconds() / 60)
    assert set(rounds.checks()) == {"disk"}


def test_a_host_that_left_the_inventory_is_forgotten(rounds: Rounds) -> None:
    rounds.make(check("disk", "OK"))
    with rounds.store.write() as tx:
        checks.forget_unseen(tx, rounds.now + timedelta(minutes=1) - FORGOTTEN_AFTER)
    assert set(rounds.checks()) == {"disk"}
    with rounds.store.write() as tx:
        checks.forget_unseen(tx, rounds.now + timedelta(minutes=1))
    assert rounds.checks() == {}


def test_of_an_old_run_what_was_amiss_is_kept_and_no_more(rounds: Rounds) -> None:
    old = rounds.make(check("disk", "CRITICAL"), check("load", "OK"), hosts=("web3",))
    young = rounds.make(check("disk", "OK"), check("load", "OK"), minutes=60, hosts=("web3",))
    before = rounds.report(old)
    for _again in range(2):
        with rounds.store.write() as tx:
            runs.thin(tx, rounds.now - timedelta(minutes=30))
    after = rounds.report(old)
    assert (after.exit_code, after.hosts[0].problems) == (before.exit_code, before.hosts[0].problems)
    assert [one["id"] for one in after.hosts[0].checks] == ["disk"]
    assert len(rounds.report(young).hosts[0].checks) == 2


def test_a_record_of_another_shape_does_not_stop_the_thinning(rounds: Rounds) -> None:
    rounds.make(check("disk", "OK"))
    run = Run("20261123T010000Z-00beef", start="2026-11-23T01:00")
    run.add("health", host="web3", ok=True, data=[1]).add("health", host="web3", ok=True, data={"checks": "well"})
    run.add("health", host="web3", ok=False, data={}).write(rounds.directory)
    rounds.read()
    with rounds.store.write() as tx:
        runs.thin(tx, rounds.now + timedelta(days=1))
        assert len(runs.entries_of(tx, run.id)) == 4


def test_a_store_of_the_first_release_is_brought_up_to_date(tmp_path: Path) -> None:
    with old_store(tmp_path / "store.db", "0001").begin() as tx:
        tx.execute(sa.insert(schema.outbox).values(_NEWS_OF_THE_FIRST_RELEASE))
    rounds = Rounds(tmp_path)
    rounds.make(check("disk", "OK"))
    assert set(rounds.checks()) == {"disk"}
    with rounds.store.write() as tx:
        message = outbox.claim(tx, rounds.now, timedelta(minutes=5), {"team/url/1"})
    assert message is not None
    (news,) = Group.from_dict(message["notification"]).notifications
    assert (news.kind, news.alert.message) == ("opened", "/var 97% used")
    assert message["message_id"] == "x/1/opened/team/url/1"


_ALERT = {
    "fingerprint": "x", "host": "web3", "check": "disk", "phase": "open", "status": "CRITICAL",
    "message": "/var 97% used", "run": "01JD", "opened_at": "2026-11-23T02:00:00+00:00",
    "updated_at": "2026-11-23T02:00:00+00:00", "told": "CRITICAL", "notified": True,
}  # fmt: skip
_NEWS_OF_THE_FIRST_RELEASE = {
    "key": "x/1/opened/team/url/1", "receiver": "team", "channel": "team/url/1", "group_key": "web3/01JD",
    "run_id": "01JD", "notification": {"kind": "opened", "key": "x/1/opened", "alert": _ALERT}, "status": "pending",
    "created_at": "2026-11-23T02:00:00.000Z", "due_at": "2026-11-23T02:00:00.000Z", "attempts": 0, "message_id": None,
    "detail": "",
}  # fmt: skip
