"""kill -9 before any statement to the store, and right after a message went out: nothing is lost, nothing invented."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from roundsman import alerting, delivery, ledger
from roundsman.alerts.model import Acknowledge, AlertState
from roundsman.alerts.names import fingerprint
from roundsman.notify.channel import Outcome
from roundsman.notify.message import Message
from roundsman.store import Store, alerts, outbox

from ..ledger.builders import Run
from ..ledger.team import CHANNEL, deliver, tell_team

NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
TOLD = [("opened", "disk"), ("opened", "load"), ("resolved", "disk"), ("resolved", "load")]
IN_A_MESSAGE = 2
ACKNOWLEDGED_UNTIL = NOW + timedelta(hours=1)


class KilledError(BaseException):
    """The process is gone: what it had not committed never was."""


class Life:
    """Lives until its last statement."""

    def __init__(self, statements: float) -> None:
        self.left = statements

    def statement(self, *_: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise KilledError

    @contextmanager
    def lived(self) -> Iterator[None]:
        sa.event.listen(sa.Engine, "before_cursor_execute", self.statement)
        try:
            yield
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", self.statement)


class Receiver:
    """Takes everything; its sender may die as soon as it has."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []
        self.life = Life(float("inf"))
        self.is_down = False

    def send(self, message: Message) -> Outcome:
        if self.is_down:
            return Outcome(ok=False, detail="HTTP 503")
        self.got += [(message.key, str(alert.kind), alert.check) for alert in message.alerts]
        self.life.statement()
        return Outcome(ok=True)

    def problem(self) -> None:
        return None


class Scene:
    """web3's disk is full and its load is high; later it is fine. A process sees to both."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.url = f"sqlite:///{folder}/store.db"
        self.ledgers = folder / "ledger"
        self.receiver = Receiver()
        # Making a store takes longer than all that happens in it.
        new = folder.parent / "new.db"
        if not new.exists():
            Store(f"sqlite:///{new}")
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("VACUUM INTO ?", [f"{folder}/store.db"])

    def begins(self) -> None:
        run = Run("20261123T020000Z-000001")
        run.health("web3", disk="CRITICAL", load="CRITICAL").finish(web3={}).write(self.ledgers)

    def ends(self) -> None:
        run = Run("20261123T021000Z-000002", start="2026-11-23T02:10")
        run.health("web3", disk="OK", load="OK").finish(web3={}).write(self.ledgers)

    def process(self, at: datetime) -> None:
        store = Store(self.url)
        ledger.catch_up(store, self.ledgers, at)
        tell_team(store, at)
        deliver(store, {CHANNEL: self.receiver}, at)

    def answer(self, at: datetime) -> None:
        """Alice has both for an hour. Who saw the command die repeats it."""
        store = Store(self.url)
        event = Acknowledge("alice", at, until=ACKNOWLEDGED_UNTIL)
        for check in ("disk", "load"):
            with store.write() as tx:
                (state,) = alerts.find(tx, fingerprint("web3", check))
                alerting.respond(tx, AlertState.from_dict(state), event, at)
            tell_team(store, at)

    def killed_after(self, statements: int, at: datetime, work: Callable[[datetime], None] | None = None) -> bool:
        """Whether it was; else it came to its end before."""
        life = Life(statements)
        self.receiver.life = life
        try:
            with life.lived():
                (work or self.process)(at)
        except KilledError:
            return True
        finally:
            self.receiver.life = Life(float("inf"))
        return False


@pytest.mark.parametrize("dies", ["while it begins", "while it ends"])
def test_killed_anywhere(tmp_path: Path, dies: str) -> None:
    for statements in count():
        scene = Scene(tmp_path / str(statements))
        scene.begins()
        if dies == "while it begins":
            killed = scene.killed_after(statements, NOW)
            # Its message is leased to the dead one for a while; others go on.
            scene.process(NOW + delivery.LEASE)
            scene.ends()
        else:
            scene.process(NOW)
            scene.ends()
            killed = scene.killed_after(statements, NOW + timedelta(minutes=20))
        scene.process(NOW + timedelta(minutes=40))
        scene.process(NOW + timedelta(minutes=60))
        heard = [(kind, check) for _, kind, check in scene.receiver.got]
        assert list(dict.fromkeys(heard)) == TOLD, f"killed after {statements} statements"
        assert len(heard) <= len(TOLD) + IN_A_MESSAGE, "at most the message that was on its way is told twice"
        assert len(set(scene.receiver.got)) == len(TOLD), "and a repeat can be recognised"
        with Store(scene.url).read() as tx:
            assert outbox.waiting(tx) == []
        if not killed:
            assert statements > 20
            return


def test_killed_while_a_page_is_withdrawn(tmp_path: Path) -> None:
    """The page could not be sent yet, and Alice takes the alert on: it is not sent any more, but her time ends."""
    for statements in count():
        scene = Scene(tmp_path / str(statements))
        scene.begins()
        scene.receiver.is_down = True
        scene.process(NOW)
        scene.receiver.is_down = False
        killed = scene.killed_after(statements, NOW + timedelta(seconds=10), scene.answer)
        if killed:
            scene.answer(NOW + timedelta(seconds=20))
        scene.process(NOW + timedelta(minutes=10))
        assert scene.receiver.got == []
        with Store(scene.url).read() as tx:
            assert outbox.waiting(tx) == []
        with Store(scene.url).write() as tx:
            alerting.pass_time(tx, ACKNOWLEDGED_UNTIL)
        scene.process(ACKNOWLEDGED_UNTIL)
        kinds = [kind for _, kind, _ in scene.receiver.got]
        assert kinds == ["acknowledgement expired"] * 2, f"killed after {statements}"
        if not killed:
            assert statements > 15
            return
