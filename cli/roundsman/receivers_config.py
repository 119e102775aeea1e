"""Who is told, and how: the receivers of roundsman.yml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from .config_base import Duration, Secret, Section, read_named
from .escalation_config import Step

Timeout = Annotated[Duration, Field(gt=timedelta(0), le=timedelta(seconds=60))]
Place = tuple[int | str, ...]
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"


def _template_text(value: object, info: ValidationInfo) -> object:
    """A template is written as text, or as {file: PATH}."""
    if isinstance(value, dict) and set(value) == {"file"}:
        return read_named(value["file"], info)
    return value


def _usable(template: str) -> str:
    from .notify.sample import template_fault  # noqa: PLC0415 - most configurations have no template

    if fault := template_fault(template):
        raise ValueError(f"cannot be used as a template: {fault}")
    return template


Template = Annotated[str, BeforeValidator(_template_text), AfterValidator(_usable)]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Webhook(Section):
    """An HTTP endpoint that takes the payload described in docs/alerts.md."""

    url: Secret
    headers: dict[str, Secret] = Field(default_factory=dict)
    secret: Secret | None = None
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
    resolve_timeout: Duration = Field(default=timedelta(days=1), ge=timedelta(minutes=1))


class Email(Section):
    """Mail through a smarthost to any number of addresses, each of which is a target of its own."""

    to: Annotated[list[str], BeforeValidator(_listed)] = Field(min_length=1)
    from_: str = Field(alias="from")
    smarthost: str = Field(pattern=r"^(\S+|\[\S+\]):\d+$")
    username: str | None = None
    password: Secret | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    timeout: Timeout = timedelta(seconds=30)

    @property
    def server(self) -> tuple[str, int]:
        host, _, port = self.smarthost.rpartition(":")
        return host.strip("[]"), int(port)

    @model_validator(mode="after")
    def _whole_credentials(self) -> Email:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


class Heartbeat(Section):
    """A service outside that raises the alarm when it hears nothing."""

    url: Secret
    every: Duration = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1))
    timeout: Timeout = timedelta(seconds=10)


class Receiver(Section):
    """Who is told: any number of targets, each of which gets every message."""

    name: str = Field(min_length=1)
    title: Template | None = None
    text: Template | None = None
    urls: list[Secret] = Field(default_factory=list)
    webhooks: list[Webhook] = Field(default_factory=list)
    pagerduty: list[PagerDuty] = Field(default_factory=list)
    escalate: list[Step] = Field(default_factory=list, max_length=50)
    escalation: str | None = None
    alertmanagers: list[Alertmanager] = Field(default_factory=list)
    email: list[Email] = Field(default_factory=list)
    notify_acknowledged: bool = False
    fallback: str | None = None
    fallback_after: Duration = Field(default=timedelta(minutes=15), ge=timedelta(0))


def fallback_faults(places: Mapping[Place, Receiver]) -> Iterator[tuple[Place, str]]:
    """Fallbacks that are nobody, or lead back to where they began: where it is written, and what is wrong."""
    fallbacks = {receiver.name: receiver.fallback for receiver in places.values()}
    for place, receiver in places.items():
        if receiver.fallback is not None and receiver.fallback not in fallbacks:
            there = ", ".join(fallbacks)
            yield (*place, "fallback"), f"there is nobody called {receiver.fallback!r} (there are: {there})"
        chain = [receiver.name]
        while (following := fallbacks.get(chain[-1])) is not None and following not in chain:
            chain.append(following)
        if following == receiver.name:
            yield (*place, "fallback"), f"{' -> '.join([*chain, following])} is a circle"
