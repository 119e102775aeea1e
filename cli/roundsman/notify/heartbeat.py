"""The dead man's switch: somebody outside hears from us regularly, and raises the alarm when we fall silent."""

from __future__ import annotations

from roundsman.notify.channel import Outcome
from roundsman.notify.http import Request, ask


def ping(url: str, timeout_s: float) -> Outcome:
    """One GET, as every such service takes it; over within the limit, whatever the other side does."""
    return ask(Request("GET", url, timeout_s=timeout_s, secrets=(url,))).outcome
