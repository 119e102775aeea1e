"""On-call calendars that others keep: fetched now and then, and kept for when they cannot be."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from .alerts.ical import REMOTE, Calendar, CalendarError
from .notify.http import Request, ask
from .times import span

FETCH_EVERY = timedelta(minutes=15)
# A server that hangs must not cost every command its time.
TRY_EVERY = timedelta(minutes=1)
OLD_AFTER = timedelta(hours=24)
TRIED_AHEAD = timedelta(days=31)


class UnavailableError(Exception):
    """A calendar could not be had; says why, without its address, which is a secret."""


def fetch(source: str) -> str:
    """The text of a calendar at a path or a URL. Raises UnavailableError."""
    if not source.startswith(REMOTE):
        try:
            return Path(source).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"{source}: {getattr(error, 'strerror', None) or 'is not UTF-8'}") from None
    answer = ask(Request("GET", source.replace("webcal://", "https://", 1), secrets=(source,)))
    if not answer.outcome.ok:
        raise UnavailableError(answer.outcome.detail)
    return answer.body.decode("utf-8", "replace")


@dataclass
class Calendars:
    """Reads calendars; `faults` is what a person should know about those that were read."""

    folder: Path
    now: datetime
    fetch: Callable[[str], str] = fetch
    faults: list[str] = field(default_factory=list)

    def read(self, source: str) -> str | None:
        """The newest text that could be had and is a calendar; None when there never was one."""
        name = hashlib.sha256(source.encode()).hexdigest()[:16]
        kept, tried = self.folder / f"{name}.ics", self.folder / f"{name}.tried"
        why = "it was tried a moment ago"
        local = not source.startswith(REMOTE)
        if local or (self._is_older(kept, FETCH_EVERY) and self._is_older(tried, TRY_EVERY)):
            try:
                text = self.fetch(source)
                self._try(text)
                self._keep(kept, text)
            except (UnavailableError, CalendarError) as error:
                why = str(error)
                self._keep(tried, why)
            else:
                tried.unlink(missing_ok=True)
        elif tried.exists():
            why = _text(tried)
        return self._best(kept, why, failed=tried.exists())

    def _best(self, kept: Path, why: str, *, failed: bool) -> str | None:
        if not kept.exists():
            self.faults.append(f"a calendar was never read, so its layer is empty: {why}")
            return None
        try:
            self._try(_text(kept))
        except CalendarError as error:
            self.faults.append(f"a calendar cannot be used, so its layer is empty: its last copy {error}")
            return None
        if failed and self._is_older(kept, OLD_AFTER):
            age = span((self.now - _written(kept)).total_seconds())
            self.faults.append(f"a calendar could not be read for {age}, and its last copy counts: {why}")
        return _text(kept)

    def _try(self, text: str) -> None:
        """Raises CalendarError: what is found only when it is asked who is on call would keep all from being told."""
        Calendar(text, ZoneInfo("UTC")).spans(self.now, self.now + TRIED_AHEAD)

    def _is_older(self, file: Path, age: timedelta) -> bool:
        """Or from the future: the clock was ahead."""
        return not file.exists() or not timedelta(0) <= self.now - _written(file) < age

    def _keep(self, file: Path, text: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_bytes(text.encode("utf-8", "replace"))
        seconds = self.now.timestamp()
        os.utime(new, (seconds, seconds))
        new.replace(file)


def _text(file: Path) -> str:
    """As it was kept: a calendar's lines end in CRLF."""
    return file.read_bytes().decode("utf-8", "replace")


def _written(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
