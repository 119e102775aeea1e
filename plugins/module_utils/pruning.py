# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applies a retention plan to a repository: the right one, and not too much of it."""

from __future__ import annotations

import datetime

from . import retention
from .engines.base import BackupError, of_source
from .repository import recognise


def blank(source, repository, rules):
    """The record of docs/records.md before anything is known."""
    return {
        "source": source,
        "repository": repository,
        "rules": rules,
        "keep": [],
        "remove": [],
        "removed": 0,
        "future": [],
        "reason": None,
    }


def prune(session, record):
    """Plan, then remove unless in check mode. Fills `record`; returns what to report."""
    params = session.module.params
    with session.working() as engine:
        _require_known(recognise(engine, session.memory, session.url), session)
        snapshots = of_source(engine.snapshots(), session.host, record["source"])
        now = datetime.datetime.now(datetime.timezone.utc)
        plan = retention.decide(snapshots, record["rules"], now, params["holds"], params["evidence"])
        record.update(keep=plan.keep, remove=plan.remove, future=plan.future)
        if retention.too_many(plan, params["most_percent"]) and not params["force"]:
            raise BackupError("removal_refused", _TOO_MANY.format(record["source"], plan, params["most_percent"]))
        ids = [s["id"] for s in plan.remove]
        if ids and not session.module.check_mode:
            engine.remove(ids)
            record["removed"] = len(ids)
    return {
        "changed": bool(ids),
        "msg": _said(record, session.module.check_mode),
        "diff": {"before": _listed(plan.keep + plan.remove), "after": _listed(plan.keep)},
    }


def _require_known(found, session):
    """Where it prunes for another host, the repository must be the one that host saves to."""
    wanted = session.module.params["repository_id"]
    if wanted and found != wanted:
        raise BackupError("repository_changed", _OTHER.format(session.repository, found[:8], session.host, wanted[:8]))


def _said(record, check_mode):
    verb = "would be removed" if check_mode else "removed"
    text = "{0}: {1} snapshots stay, {2} {3}".format(record["source"], len(record["keep"]), len(record["remove"]), verb)
    if record["future"]:
        some = ", ".join("{0} ({1})".format(s["id"][:8], s["time"]) for s in record["future"][:5])
        text += _FUTURE.format(len(record["future"]), some)
    return text


def _listed(lines):
    return "".join(sorted("{0} {1}\n".format(s["time"], s["id"][:8]) for s in lines))


_FUTURE = (
    "; {0} dated in the future: {1}. They count for nothing and displace nothing. Find out whose clock was wrong or "
    "who made them, then remove them where deletes are allowed, with `restic forget --prune ID`"
)
_TOO_MANY = (
    "The rules would remove {1.lost} of {1.counted} complete snapshots of {0}, more than the allowed {2} %. Nothing "
    "was removed. See which with --check --force --diff; if that is meant, prune once with --force "
    "(roundsman_prune_force), or raise roundsman_prune_most_percent."
)
_OTHER = (
    "The repository at {0} has the id {1}, but {2} saves to {3}. Nothing was removed. Look at "
    "roundsman_prune_repository: it must be the address of that host's own repository, as seen from here."
)
