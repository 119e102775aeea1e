"""What happened to alerts long ago is forgotten; what is open or still to be told is not, however old it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from roundsman import alerting
from roundsman.alerts.matchers import parse
from roundsman.alerts.model import Acknowledge, AlertState, CheckResult, Status
from roundsman.alerts.names import fingerprint
from roundsman.alerts.silencing import Silence
from roundsman.config import History, Settings
from roundsman.notify.channel import Outcome
from roundsman.notify.message import Message
from roundsman.session import Session
from roundsman.store import Store, alerts, forgetting, schema, silences

from ..ledger.team import CHANNEL, deliver, tell_team

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
BEFORE = NOW - timedelta(days=400)
TABLES = [schema.timeline, schema.episodes, schema.outbox, schema.outbox_alerts, schema.deliveries, schema.alerts]


class Team:
    def __init__(self) -> None:
        self.works = True

    def send(self, _message: Message) -> Outcome:
        return Outcome(ok=self.works, detail="" if self.works else "HTTP 503")

    def problem(self) -> None:
        return None


class Years:
    """An alert of each host, with a message of its own, over a long time."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.team = Team()

    def measure(self, host: str, status: str, at: datetime) -> None:
        with self.store.write() as tx:
            event = CheckResult(host, "disk", Status(status), f"disk is {status}", {}, "run", at)
            alerting.measure(tx, alerting.states_of(tx, host), [event], at)

    def tell(self, at: datetime) -> None:
        tell_team(self.store, at)
        deliver(self.store, {CHANNEL: self.team}, at)

    def acknowledge(self, host: str, at: datetime, until: datetime) -> None:
        with self.store.write() as tx:
            (state,) = alerts.find(tx, fingerprint(host, "disk"))
            alerting.respond(tx, AlertState.from_dict(state), Acknowledge("alice", at, until=until), at)

    def forget(self, most: int = 500) -> None:
        with self.store.write() as tx:
            forgetting.forget(tx, BEFORE, most)

    def left(self, host: str) -> dict[str, int]:
        """How many rows of each table are about the host's alert."""
        name = fingerprint(host, "disk")
        about = sa.select(schema.outbox_alerts.c.key).where(schema.outbox_alerts.c.fingerprint == name)
        messages = sa.select(schema.outbox.c.message_id).where(schema.outbox.c.key.in_(about))
        with self.store.read() as tx:
            return {
                table.name: tx.scalar(sa.select(sa.func.count()).select_from(table).where(wanted)) or 0
                for table, wanted in (
                    (schema.alerts, schema.alerts.c.fingerprint == name),
                    (schema.timeline, schema.timeline.c.fingerprint == name),
                    (schema.episodes, schema.episodes.c.fingerprint == name),
                    (schema.outbox, schema.outbox.c.key.in_(about)),
                    (schema.deliveries, schema.deliveries.c.message_id.in_(messages)),
                )
            }

    def rows(self) -> list[list[sa.Row[tuple[object, ...]]]]:
        with self.store.read() as tx:
            return [list(tx.execute(sa.select(table).order_by(*table.primary_key)).all()) for table in TABLES]


NOTHING = dict.fromkeys(("alerts", "timeline", "episodes", "outbox", "deliveries"), 0)


@pytest.fixture
def years(tmp_path: Path) -> Years:
    """`over` ended long ago, `again` then and a month ago, `open` and `taken` have not, of `lost` nobody knows."""
    made = Years(f"sqlite:///{tmp_path}/store.db")
    hour = timedelta(hours=1)
    for host in ("over", "again", "open", "taken", "lost"):
        made.measure(host, "CRITICAL", LONG_AGO)
    made.tell(LONG_AGO)
    made.acknowledge("taken", LONG_AGO, NOW + hour)
    for host in ("over", "again"):
        made.measure(host, "OK", LONG_AGO + hour)
    made.tell(LONG_AGO + hour)
    # Roundsman is down before anybody is told of this end.
    made.measure("lost", "OK", LONG_AGO + 2 * hour)
    month_ago = NOW - timedelta(days=30)
    made.measure("again", "CRITICAL", month_ago)
    made.measure("again", "OK", month_ago + hour)
    return made


def test_what_is_over_for_long_is_forgotten(years: Years) -> None:
    whole = {host: years.left(host) for host in ("open", "taken")}
    years.forget()
    assert years.left("over") == NOTHING
    assert {host: years.left(host) for host in whole} == whole
    assert all(whole["open"].values()), "it is worth something"
    again = years.left("again")
    assert (again["alerts"], again["episodes"], again["timeline"]) == (1, 1, 2), "the last time, not the one before"
    before = years.rows()
    years.forget()
    assert years.rows() == before


def test_an_end_that_nobody_was_told_of_is_told_first(years: Years) -> None:
    years.forget()
    assert years.left("lost")["alerts"] == 1
    years.tell(NOW)
    years.forget()
    assert years.left("lost")["deliveries"] == 1, "the end: that was now"
    assert years.left("lost")["alerts"] == 0


def test_what_is_still_to_be_sent_is_kept(years: Years) -> None:
    years.team.works = False
    years.tell(LONG_AGO + timedelta(hours=8))
    kept = years.left("lost")
    years.forget()
    assert years.left("lost")["outbox"] == 1 < kept["outbox"]
    assert years.left("lost")["alerts"] == 1


def test_a_backlog_is_forgotten_in_parts_and_killed_anywhere(years: Years) -> None:
    """Each part is one transaction: what a killed process had begun is as if it had not."""

    class KilledError(BaseException):
        pass

    def die_at(statement: int) -> None:
        left = iter(range(statement))

        def count_down(*_: object) -> None:
            if next(left, None) is None:
                raise KilledError

        sa.event.listen(sa.Engine, "before_cursor_execute", count_down)
        try:
            years.forget(most=1)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", count_down)

    for statement in count(1):
        before = years.rows()
        try:
            die_at(statement)
        except KilledError:
            assert years.rows() == before
        else:
            break
    while years.rows() != before:
        before = years.rows()
        years.forget(most=1)
    assert years.left("over") == NOTHING
    assert years.left("open")["timeline"]


def test_every_command_forgets_silences_too(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, history=History(alerts=timedelta(days=1)))
    store = Store(settings.store_url)
    now = datetime.now(UTC)
    with store.write() as tx:
        for name, days in (("old", 2), ("new", 0.5)):
            end = now - timedelta(days=days)
            one = Silence(name, parse('host="web1"'), "alice", "planned", end - timedelta(hours=1), end, end)
            silences.save(tx, one.to_dict())
    Session(settings)
    with store.read() as tx:
        assert [row["id"] for row in silences.listed(tx, now, expired=True)] == ["new"]
