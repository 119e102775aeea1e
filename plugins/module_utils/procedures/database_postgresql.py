# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All PostgreSQL servers of a host: maintained by measured need, and proven to be as well as before."""

from __future__ import annotations

from ..discovery_servers import running_postgresql
from ..family import size
from . import database_postgresql_measure as measure
from .base import ProcedureError, counted
from .database_postgresql_ask import GONE, Postgres, SqlError
from .database_postgresql_need import full_name, quoted
from .database_postgresql_upkeep import Upkeep

# How much a database may grow, by its application, before somebody should look.
GROWTH_FACTOR, GROWTH_BYTES = 1.2, 256 << 20
_DONE = (
    ("freeze", "froze", ("table",)),
    ("vacuum", "vacuumed", ("table",)),
    ("analyze", "analyzed", ("table",)),
    ("remove", "removed", ("leftover index", "leftover indexes")),
    ("reindex", "rebuilt", ("index", "indexes")),
)


def _servers(params):
    """Definitions of the servers to look after, by a name for each: those that are given, or all that run here."""
    specs = running_postgresql() if params["servers"] is None else params["servers"]
    return {"{0}:{1}".format(spec.get("host") or "local", spec.get("port") or 5432): spec for spec in specs}


def maintain(step, params):
    """Do what all databases need; returns the message. The record's `found` is what `prove` compares with."""
    step.record["found"] = {}
    failures, unchecked, standbys = [], [], []
    for server, spec in sorted(_servers(params).items()):
        upkeep = Upkeep(step, Postgres(step, spec, params), params)
        try:
            if upkeep.is_standby():
                standbys.append(server)
                continue
            step.record["found"][server] = upkeep.found
            for database in upkeep.databases():
                failures += upkeep.look_after(database)
        except SqlError as error:
            failures.append((error.reason, "PostgreSQL {0}: {1}".format(server, error.message)))
        unchecked += upkeep.unchecked
    if failures:
        raise ProcedureError(failures[0][0], "; ".join(words for _reason, words in failures))
    return _message(step.record, unchecked, standbys)


def _message(record, unchecked, standbys):
    looked = sum(len(databases) for databases in record["found"].values())
    done = [action["action"] for action in record["actions"] if action["outcome"] != "failed"]
    said = [
        "{0} {1}".format(verb, counted(done.count(action), *nouns)) for action, verb, nouns in _DONE if action in done
    ]
    if not said and looked:
        said.append("nothing was needed in " + counted(looked, "database"))
    if record["reclaimed_bytes"]:
        said.append("freed {0}".format(size(record["reclaimed_bytes"])))
    if unchecked:
        said.append("without amcheck, which is not in {0}".format(", ".join(unchecked)))
    if standbys:
        said.append("left standby {0} to its primary".format(", ".join(standbys)))
    return "PostgreSQL: " + ", ".join(said) if said else ""


def prove(step, params):
    """Compare with what `maintain` found (`before`): returns the message, or raises ProcedureError."""
    worse, tables = [], 0
    for server, spec in sorted(_servers(params).items()):
        postgres = Postgres(step, spec, params)
        for database, before in sorted(params["before"].get(server, {}).items()):
            if not postgres.rows("postgres", measure.is_there(database)):
                continue
            found, indexes, own = postgres.answers(database, measure.TABLES, measure.INDEXES, measure.SIZE)
            tables += len(found)
            worse += _worse(database, before, indexes) + _mute(step, postgres, database, found)
            now = own[0]["size_bytes"]
            if now > before["size_bytes"] * GROWTH_FACTOR + GROWTH_BYTES:
                step.warn(_GREW.format(database, size(before["size_bytes"]), size(now)))
    if worse:
        raise ProcedureError("verification_failed", "PostgreSQL is not as before: " + "; ".join(worse))
    return "PostgreSQL: {0} as before".format(counted(tables, "table")) if tables else ""


def _worse(database, before, indexes):
    """Indexes that are invalid and were not, in words."""
    invalid = [full_name(database, one) for one in indexes if not one["valid"] and not one["building"]]
    return ["index {0} became invalid".format(one) for one in invalid if one not in before["invalid"]]


def _mute(step, postgres, database, tables):
    """Tables that do not answer, in words. One that the application dropped or holds says nothing of our work."""
    mute, free = [], [one for one in tables if not one["held"]]
    ask = {full_name(database, one): "SELECT 1 FROM {0} LIMIT 1".format(quoted(one)) for one in free}  # noqa: S608
    for target, error in postgres.each(database, ask):
        if error.is_damage:
            mute.append("{0} does not answer: {1}".format(target, error.message))
        elif error.code not in GONE:
            step.warn("{0} could not be asked: {1}".format(target, error.message))
    return mute


_GREW = "database {0} grew from {1} to {2} meanwhile"
