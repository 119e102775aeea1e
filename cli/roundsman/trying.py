"""Tries a receiver: a marked test message through every target of it, past store and outbox."""

from __future__ import annotations

from datetime import datetime

from .config import Alerts
from .delivery import manners
from .notify.channel import Outcome
from .notify.message import compose
from .notify.open import channels
from .notify.sample import trial


def try_receiver(alerts: Alerts, name: str, by: str, now: datetime, *, resolved: bool) -> dict[str, Outcome]:
    """What came of each target. Raises LookupError, with the names there are, when nobody is called so."""
    receiver = next((one for one in alerts.everybody if one.name == name), None)
    if receiver is None:
        raise LookupError(", ".join(one.name for one in alerts.everybody) or "none")
    message = compose(trial(name, by, now, resolved=resolved), manners(alerts)[name].style)
    return {target: channel.send(message) for target, channel in channels(receiver).items()}
