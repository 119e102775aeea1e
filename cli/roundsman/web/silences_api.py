"""Silences: as Alertmanager's clients make, list, change and end them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from roundsman.alerts.matchers import matches_all
from roundsman.alerts.silencing import Silence, SilenceError, Standing
from roundsman.store import Transaction, silences
from roundsman.times import stamp

from . import reading, shapes
from .asking import Asked, Office, RefusedError

# As long as Alertmanager shows what is over; here it stays for good.
_SHOWN_AFTER_THE_END = timedelta(days=5)


def get_all(office: Office, asked: Asked) -> list[dict[str, Any]]:
    """GET /api/v2/silences"""
    matchers = asked.filter()
    with office.store.read() as tx:
        rows = silences.listed(tx, asked.at - _SHOWN_AFTER_THE_END)
    found = (Silence.from_dict(row) for row in rows)
    return [
        shapes.silence(one, asked.at)
        for one in found
        # As Alertmanager has it: what a silence's own matchers demand stands for labels.
        if matches_all(matchers, {matcher.name: matcher.value for matcher in one.matchers})
    ]


def get(office: Office, asked: Asked) -> dict[str, Any]:
    """GET /api/v2/silence/{id}"""
    with office.store.read() as tx:
        return shapes.silence(_known(tx, asked.path["id"]), asked.at)


def post(office: Office, asked: Asked) -> dict[str, str]:
    """POST /api/v2/silences"""
    wanted = reading.silence(asked.body)
    if wanted.ends_at <= asked.at:
        raise RefusedError(f"endsAt: {stamp(wanted.ends_at)} is over already")
    starts_at = max(wanted.starts_at, asked.at)
    with office.store.write() as tx:
        before = _known(tx, wanted.id) if wanted.id else None
        try:
            made = Silence(
                str(uuid4()), wanted.matchers, wanted.created_by, wanted.comment, starts_at, wanted.ends_at, asked.at
            )
            if before is not None and before.standing(asked.at) is not Standing.EXPIRED:
                made = _instead(tx, before, made, wanted, asked)
        except SilenceError as error:
            raise RefusedError(str(error)) from None
        silences.save(tx, made.to_dict())
    office.wake()
    return {"silenceID": made.id}


def _instead(tx: Transaction, before: Silence, made: Silence, wanted: reading.PostedSilence, asked: Asked) -> Silence:
    """What silences something else is another silence, and the one before ends: what was silenced stays known."""
    begun = before.standing(asked.at) is Standing.ACTIVE
    # Times come back with milliseconds only.
    begins_alike = stamp(before.starts_at) == stamp(wanted.starts_at)
    if before.matchers != wanted.matchers or (begun and not begins_alike):
        silences.save(tx, before.expired(asked.at).to_dict())
        return made
    starts_at = before.starts_at if begun else made.starts_at
    return replace(before, starts_at=starts_at, ends_at=made.ends_at, author=made.author, comment=made.comment,
                   updated_at=asked.at)  # fmt: skip


def delete(office: Office, asked: Asked) -> None:
    """DELETE /api/v2/silence/{id}. To end what is over already changes nothing."""
    with office.store.write() as tx:
        one = _known(tx, asked.path["id"])
        if one.standing(asked.at) is not Standing.EXPIRED:
            silences.save(tx, one.expired(asked.at).to_dict())
    office.wake()


def _known(tx: Transaction, name: str) -> Silence:
    found = [row for row in silences.find(tx, name) if row["id"] == name]
    if not found:
        raise RefusedError(f"there is no silence {name}", 404)
    return Silence.from_dict(found[0])
