"""What every way of delivery looks like, and which one serves a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from roundsman.notify.message import Message


@dataclass(frozen=True)
class Target:
    """Where messages go, as far as a URL and headers say it. All but the time limit are secrets and never printed."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 10.0
    secret: str | None = field(default=None, repr=False)  # of a webhook: what its messages are signed with

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.url, *self.headers.values(), *([self.secret] if self.secret else []))

    @property
    def scheme(self) -> str:
        """`https` of an https:// URL; empty when there is none, so that a stray secret is never shown as a scheme."""
        scheme, colon, _ = self.url.partition("://")
        return scheme.lower() if colon and scheme.isalnum() else ""


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt. The adapter says whether an error is permanent; the flow decides on the retry."""

    ok: bool
    permanent: bool = False
    detail: str = ""  # for people, without secrets
    retry_after_s: float | None = None  # what the other side asked for


class Channel(Protocol):
    """One way of delivery to one target."""

    def send(self, message: Message) -> Outcome:
        """Deliver once. Never raises for what the other side or the network does; never sends twice."""

    def problem(self) -> str | None:
        """What is wrong with the target, without its secrets and without sending; None when it is usable."""
