"""Who is told, and how: the receivers of roundsman.yml."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from .config_base import Duration, Secret, Section

Timeout = Annotated[Duration, Field(gt=timedelta(0), le=timedelta(seconds=60))]
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"


class Webhook(Section):
    """An HTTP endpoint that takes the payload described in docs/alerts.md."""

    url: Secret
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: Timeout = timedelta(seconds=10)


class PagerDuty(Section):
    """An Events API v2 integration of a service."""

    routing_key: Secret
    url: str = PAGERDUTY
    timeout: Timeout = timedelta(seconds=10)


class Alertmanager(Section):
    """One peer of an Alertmanager cluster."""

    url: Secret
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: Timeout = timedelta(seconds=10)
    resolve_timeout: Duration = Field(default=timedelta(hours=4), ge=timedelta(minutes=1))


class Receiver(Section):
    """Who is told: any number of targets, each of which gets every message."""

    name: str = Field(min_length=1)
    urls: list[Secret] = Field(default_factory=list)
    webhooks: list[Webhook] = Field(default_factory=list)
    pagerduty: list[PagerDuty] = Field(default_factory=list)
    alertmanagers: list[Alertmanager] = Field(default_factory=list)
