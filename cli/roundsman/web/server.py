"""Listens, and does meanwhile what is due: one process in place of a timer."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address

import uvicorn

from roundsman import alerting, times
from roundsman.alerts.external import RESOLVE_TIMEOUT
from roundsman.session import Session
from roundsman.store import StoreError, groups
from roundsman.ticking import tick

from .app import application
from .asking import Office

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# However much comes in, it is looked at no more often.
_PAUSE_S = 0.2
_AFTER_A_FAULT_S = 5.0
_DEAF_AFTER = timedelta(minutes=1)
_LAST_REQUESTS_S = 5


class Loop(threading.Thread):
    """Does its work again after as many seconds as the work says, or when it is woken."""

    def __init__(self, work: Callable[[], float], failed: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._failed = failed
        self._woken = threading.Event()
        self._over = threading.Event()

    def wake(self) -> None:
        self._woken.set()

    def end(self) -> None:
        """Comes back when the work at hand is done."""
        self._over.set()
        self.wake()
        self.join()

    def run(self) -> None:
        while not self._over.is_set():
            self._woken.clear()
            begun = time.monotonic()
            try:
                pause_s = self._work()
            except (StoreError, OSError) as error:
                # Locked, or a disk is full: clients hear of it, too, and both try again.
                print(f"{error}; trying again", file=sys.stderr, flush=True)
                pause_s = _AFTER_A_FAULT_S
            except Exception:  # noqa: BLE001 - without this work alerts would rest unseen: the whole server ends
                traceback.print_exc()
                self._failed()
                return
            # What takes long gets no more than half of the time.
            self._over.wait(max(_PAUSE_S, time.monotonic() - begun))
            self._woken.wait(pause_s)


class Server:
    """One session, served until a signal or a fault."""

    def __init__(self, session: Session, listening: socket.socket) -> None:
        self._session = session
        self._listening = listening
        self._every = session.settings.alerts.tick.total_seconds()
        self._heard_at: datetime | None = None
        self._deaf_after = max(_DEAF_AFTER, timedelta(seconds=2 * self._every))
        self._teller = Loop(self.tell, self._fail)
        self._worker = Loop(self._tick, self._fail)
        self._over = threading.Event()
        self.failed = False
        office = Office(session.store, session.settings, self._teller.wake)
        config = uvicorn.Config(
            application(office), lifespan="off", ws="none", log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=_LAST_REQUESTS_S,
        )  # fmt: skip
        self._http = _Http(config)

    def run(self) -> None:
        """Comes back after SIGINT or SIGTERM, or when something failed that would fail again."""
        loops = (self._teller, self._worker)
        with _stopped_by_signals(self._stop):
            for loop in loops:
                loop.start()
            self._http.run(sockets=[self._listening])
        self._over.set()
        for loop in loops:
            loop.end()
        try:
            self._session.end_delivery()
        except (StoreError, OSError) as error:
            print(f"{error}; what was sent then is sent again", file=sys.stderr, flush=True)

    def _stop(self) -> None:
        self._http.should_exit = True

    def _fail(self) -> None:
        self.failed = True
        self._stop()

    def tell(self) -> float:
        """Decide who is to be told, which goes out at once. Returns the seconds until there is more to decide."""
        now = times.now()
        with self._session.store.write() as tx:
            # Not started yet, asleep, or locked out of the store: what was said meanwhile was not heard.
            if self._heard_at is None or now - self._heard_at > self._deaf_after:
                alerting.hold(tx, now + RESOLVE_TIMEOUT)
            alerting.expire(tx, now)
        self._heard_at = now
        self._session.tell()
        self._session.begin_to_deliver(self._over.is_set)
        with self._session.store.read() as tx:
            due = groups.next_due(tx)
        # Without receivers no group is ever looked at.
        if due is None or self._session.settings.alerts.tree() is None:
            return self._every
        return min(self._every, max(timedelta(0), times.moment(due) - times.now()).total_seconds())

    def _tick(self) -> float:
        """Receivers that hang keep only this one waiting."""
        for name, said in tick(self._session).failed.items():
            print(f"{name}: {said}", file=sys.stderr, flush=True)
        return self._every


class _Http(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are ours: uvicorn would raise them again, and what is at work could not come to its end."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in host and ip_address(host).version == 6 else socket.AF_INET
    return socket.create_server((host, port), family=family)


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, lambda _number, _frame: stop()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
