"""The page of an alert, which messages link to. It shows; only its buttons act, because previewers follow links."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from roundsman import alerting
from roundsman.alerts.model import Acknowledge, AlertState, HumanEvent, Notify, NotifyKind, Resolve
from roundsman.notify.backups import last_proven
from roundsman.notify.redact import scrub
from roundsman.notify.view import view
from roundsman.store import Transaction, alerts, snapshots
from roundsman.times import seconds

from .asking import Asked, Office, RefusedError

# Nothing but what the page itself says, and no frame of another's around it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_LONGEST = timedelta(days=7)


def get(office: Office, asked: Asked) -> Response:
    """GET /alerts/ID"""
    with office.store.read() as tx:
        return _page(office, tx, _meant(tx, asked))


def post(office: Office, asked: Asked) -> Response:
    """POST /alerts/ID"""
    form = {name: values[0] for name, values in parse_qs(asked.body.decode("utf-8", "replace")).items()}
    with office.store.write() as tx:
        state = _meant(tx, asked)
        if not hmac.compare_digest(form.get("proof", "").encode(), _proof(office, state).encode()):
            raise RefusedError("this form is not of a page that is served now: open the alert again", 403)
        decision = alerting.respond(tx, state, _event(form, asked.at), asked.at)
        if decision.refused:
            return _page(office, tx, state, decision.sentence)
    office.wake()
    return RedirectResponse(f"/alerts/{state.fingerprint}", 303, headers=_HEADERS)


def refusal(words: str, status: int) -> Response:
    """Why there is no such page, for the same person."""
    return _html(_templates().get_template("refusal.html.j2").render(words=words), status)


def _html(page: str, status: int) -> Response:
    return HTMLResponse(page.encode("utf-8", "backslashreplace"), status, headers=_HEADERS)


def _page(office: Office, tx: Transaction, state: AlertState, problem: str = "") -> Response:
    """A page of this moment; the problem is with what a person has just asked for."""
    kind = NotifyKind.STILL if state.is_open else NotifyKind.RESOLVED
    backup = last_proven(snapshots.held(tx, [state.host])).get(state.host)
    template = _templates().get_template("alert_page.html.j2")
    page = template.render(
        state=state,
        alert=view(Notify(kind, state, ""), backup=backup),
        timeline=[{**row, "text": scrub(row["text"])} for row in alerts.timeline_of(tx, state.fingerprint)],
        said=problem,
        proof=_proof(office, state),
    )
    return _html(page, 409 if problem else 200)


def _event(form: dict[str, str], at: datetime) -> HumanEvent:
    by, note = form.get("by", "").strip()[:80], form.get("note", "").strip()[:500]
    if not by:
        raise RefusedError("who are you? A name is needed")
    if form.get("do") == "resolve":
        return Resolve(by, at, note)
    if form.get("do") != "ack":
        raise RefusedError("neither acknowledged nor resolved")
    try:
        length = timedelta(seconds=seconds(form.get("for", "4h")))
    except (ValueError, OverflowError):
        raise RefusedError("for how long? Such as 4h") from None
    return Acknowledge(by, at, note, at + min(length, _LONGEST))


def _meant(tx: Transaction, asked: Asked) -> AlertState:
    found = [row for row in alerts.find(tx, asked.path["id"]) if row["fingerprint"] == asked.path["id"]]
    if not found:
        raise RefusedError("there is no such alert", 404)
    return AlertState.from_dict(found[0])


def _proof(office: Office, state: AlertState) -> str:
    """What only a page of this process can know: a browser sends a password to forms of others as well."""
    return hmac.new(office.secret, state.fingerprint.encode(), hashlib.sha256).hexdigest()


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("roundsman", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["utc"] = lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return environment
