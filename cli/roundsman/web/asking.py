"""What every endpoint gets, and how it refuses."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from starlette.datastructures import QueryParams

from roundsman import times
from roundsman.alerts.matchers import Matcher, MatcherError, Matchers, Operator, parse
from roundsman.config import Settings
from roundsman.store import Store


class RefusedError(Exception):
    """The request cannot be answered; the text says why, for the person who made it."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Office:
    """What endpoints work with. `wake` makes others look at what has come in."""

    store: Store
    settings: Settings
    wake: Callable[[], None] = lambda: None
    clock: Callable[[], datetime] = times.now
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)  # of this process
    started_at: datetime = field(default_factory=times.now)


@dataclass(frozen=True)
class Asked:
    """One request that was let in."""

    query: QueryParams
    path: Mapping[str, str]
    body: bytes
    at: datetime

    def flag(self, name: str) -> bool:
        """A switch that is on unless it is switched off."""
        value = self.query.get(name, "true").lower()
        if value not in ("true", "1", "false", "0"):
            raise RefusedError(f"{name} is true or false, not {value!r}")
        return value in ("true", "1")

    def filter(self) -> Matchers:
        try:
            return tuple(matcher for text in self.query.getlist("filter") for matcher in parse(text))
        except MatcherError as error:
            raise RefusedError(f"bad matcher format: {error}") from None

    def receiver(self) -> Matcher:
        """The test for names of receivers."""
        try:
            return Matcher("receiver", Operator.REGEX, self.query.get("receiver", ".*"))
        except MatcherError as error:
            raise RefusedError(f"receiver: {error}") from None


Endpoint = Callable[[Office, Asked], object]
