"""From a target in the configuration to the channel that serves it."""

from __future__ import annotations

from roundsman.notify.apprise_channel import AppriseChannel
from roundsman.notify.channel import Channel, Target
from roundsman.notify.webhook import SCHEMES, Webhook


def open_channel(target: Target) -> Channel:
    """`http://` and `https://` are webhooks; every other scheme is Apprise's."""
    return Webhook(target) if target.scheme in SCHEMES else AppriseChannel(target)


def validate(target: Target) -> str | None:
    """What is wrong with a target of the configuration, or None. Nothing is sent."""
    return open_channel(target).problem()
