"""An existing Alertmanager: alerts are posted as Prometheus posts them, and it groups, routes and silences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from roundsman import times
from roundsman.alerts.model import AlertState, Notify, NotifyKind
from roundsman.notify.channel import Outcome
from roundsman.notify.http import Answer, Request, ask, encode, url_problem
from roundsman.notify.message import Message
from roundsman.notify.view import AlertView, rfc3339, view

ID_LABEL = "roundsman_id"
_BATCH = 200  # what fits into one address, when Alertmanager is asked about all of them


@dataclass(frozen=True)
class Alertmanager:
    """One peer. It forgets its alerts when it restarts, and ends them when nobody repeats them: see `refresh`."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 10.0
    resolve_timeout: timedelta = timedelta(days=1)

    def problem(self) -> str | None:
        return url_problem(self.url)

    def send(self, message: Message) -> Outcome:
        return self._post(message.alerts, message.notes)

    def refresh(self, states: Iterable[AlertState]) -> Outcome:
        """Say again of these alerts that they fire: to be called well within every `resolve_timeout`."""
        return self._post([view(Notify(NotifyKind.OPENED, state, "")) for state in states if state.is_open])

    def _post(self, alerts: Sequence[AlertView], notes: Sequence[str] = ()) -> Outcome:
        if problem := self.problem():
            return Outcome(ok=False, permanent=True, detail=problem)
        outcome = Outcome(ok=True, detail="nothing to say")
        for first in range(0, len(alerts), _BATCH):
            batch = alerts[first : first + _BATCH]
            looked = self._ask("GET", query=_about(batch))
            if not looked.outcome.ok:
                return looked.outcome
            now = times.now()
            said = [_document(alert, now + self.resolve_timeout, notes) for alert in batch]
            try:
                ended = list(_ended(looked.body, said, now))
            except (AttributeError, KeyError, TypeError, ValueError):
                return Outcome(ok=False, detail="what answers there is not an Alertmanager")
            outcome = self._ask("POST", said + ended).outcome
            if not outcome.ok:
                return outcome
        return outcome

    def _ask(self, method: str, documents: object = None, query: str = "") -> Answer:
        secrets = (self.url, *self.headers.values())
        body = encode(documents) if documents is not None else None
        url = f"{self.url.rstrip('/')}/api/v2/alerts{query}"
        return ask(Request(method, url, body, self.headers, self.timeout_s, secrets, quotes=True))


def _document(alert: AlertView, firing_until: datetime, notes: Sequence[str]) -> dict[str, Any]:
    ends_at = max(alert.until or alert.since, alert.since) if not alert.firing else firing_until
    annotations = {
        "summary": alert.summary, "description": alert.facts, "command": alert.command, "run": alert.run,
        "recommended": alert.recommended, "backup": alert.backup, "runbook_url": alert.runbook_url,
        "notes": " ".join(notes),
    }  # fmt: skip
    return {
        "labels": {"alertname": alert.check.partition(":")[0], **alert.labels, ID_LABEL: alert.fingerprint},
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": rfc3339(alert.since),
        "endsAt": rfc3339(ends_at),
        "generatorURL": alert.url or "",
    }


def _about(alerts: Sequence[AlertView]) -> str:
    ids = "|".join(alert.fingerprint for alert in alerts)
    return "?" + urlencode({"filter": f'{ID_LABEL}=~"{ids}"'})


def _ended(body: bytes, said: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """What still fires there under other labels than are posted now, with its end.

    To Alertmanager an alert is its labels: one that turns from a warning to critical is another one, and the warning
    would stay for as long as its time-out.
    """
    current = {document["labels"][ID_LABEL]: document["labels"] for document in said}
    for there in json.loads(body):
        if there["labels"] != current.get(there["labels"].get(ID_LABEL)):
            kept = {key: there[key] for key in ("labels", "annotations", "startsAt", "generatorURL") if key in there}
            yield {**kept, "endsAt": rfc3339(max(now, datetime.fromisoformat(there["startsAt"])))}
