"""Alerts that others have found and post here. Labels are all that they are, and they hold while they are repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from roundsman.alerts.decide import Decision, Reason, decide
from roundsman.alerts.matchers import Labels
from roundsman.alerts.model import AlertState, CheckResult, Status
from roundsman.alerts.names import fingerprint_of_labels

# How long an alert holds that says no end; Alertmanager's word and default.
RESOLVE_TIMEOUT = timedelta(minutes=5)

# What other words mean, and what none means, is UNKNOWN.
_SEVERITIES = {
    **dict.fromkeys(("critical", "page", "emergency", "fatal"), Status.CRITICAL),
    **dict.fromkeys(("warning", "warn", "notice", "info", "none"), Status.WARNING),
}
_WITH_PORT = re.compile(r"\[(?P<six>.+)\](?::\d+)?|(?P<name>[^:]+)(?::\d+)?")


@dataclass(frozen=True)
class Posted:
    """An alert as somebody outside says it. Without `ends_at` it holds until its end is said."""

    labels: Labels
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str = ""

    @property
    def fingerprint(self) -> str:
        return fingerprint_of_labels(self.labels)


def receive(state: AlertState | None, posted: Posted, now: datetime) -> Decision:
    """Decide what a post means for the alert with its labels, which is None when it never fired."""
    ended = posted.ends_at is not None and posted.ends_at <= now
    host, check = host_of(posted.labels), posted.labels.get("alertname") or "alert"
    status = Status.OK if ended else severity_of(posted.labels)
    decision = decide(state, CheckResult(host, check, status, _message(posted), posted.annotations, "", now), now)
    after = decision.state
    if after is None or ended:
        return _at_its_end(decision, posted.ends_at)
    started = min(posted.starts_at, now)
    begins = decision.reason in (Reason.OPENED, Reason.REOPENED)
    after = replace(
        after,
        fingerprint=posted.fingerprint,
        labels=dict(posted.labels),
        generator_url=posted.generator_url,
        expires_at=posted.ends_at,
        # Who posts the same with an earlier beginning knows more of it.
        opened_at=started if begins else min(started, after.opened_at),
    )
    return replace(decision, state=after)


def expired(state: AlertState, now: datetime) -> Decision:
    """What nobody says again is over when it was to end. To be asked by who would have heard it."""
    if not state.is_open or state.expires_at is None or state.expires_at > now:
        return Decision(state, Reason.UNCHANGED, "it holds")
    over = CheckResult(state.host, state.check, Status.OK, state.message, state.evidence, "", now)
    sentence = f"nobody has said again that it fires; it was to hold until {state.expires_at:%Y-%m-%d %H:%M:%S %Z}"
    return replace(_at_its_end(decide(state, over, now), state.expires_at), sentence=sentence)


def _at_its_end(decision: Decision, at: datetime | None) -> Decision:
    """Resolved when it was over, not when we came to know."""
    if decision.reason is not Reason.RESOLVED or decision.state is None or at is None:
        return decision
    return replace(decision, state=replace(decision.state, resolved_at=max(decision.state.opened_at, at)))


def severity_of(labels: Labels) -> Status:
    return _SEVERITIES.get(labels.get("severity", "").lower(), Status.UNKNOWN)


def host_of(labels: Labels) -> str:
    """The host that the labels name, without a port; empty when they name none."""
    named = next((labels[name] for name in ("host", "instance", "node") if labels.get(name)), "")
    match = _WITH_PORT.fullmatch(named)
    return (match["six"] or match["name"]) if match else named


def _message(posted: Posted) -> str:
    texts = (posted.annotations.get(name) for name in ("summary", "description", "message", "title"))
    return next(filter(None, texts), None) or posted.labels.get("alertname") or "no words about it"
