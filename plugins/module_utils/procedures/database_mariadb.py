# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The MariaDB servers of a host: maintained by measured need, and proven to be as well as before."""

from __future__ import annotations

from ..discovery_servers import runs_mariadb
from ..family import size
from .base import ProcedureError, counted
from .database_mariadb_ask import Mariadb, MariadbError
from .database_mariadb_upkeep import Upkeep, checked


def _servers(params):
    """Definitions of the servers to look after, by a name for each: those that are given, or the one that runs here."""
    specs = params["servers"]
    if specs is None:
        specs = [{}] if runs_mariadb() else []
    return {_name(spec): spec for spec in specs}


def _name(spec):
    place = spec.get("socket") or spec.get("host") or "local"
    return "{0}:{1}".format(place, spec["port"]) if spec.get("port") else place


def maintain(step, params):
    """Do what all tables need; returns the message. The record's `found` is what `prove` compares with."""
    step.record["found"] = {}
    failures, looked = [], 0
    for server, spec in sorted(_servers(params).items()):
        upkeep = Upkeep(step, Mariadb(step, spec, params), params)
        try:
            failures += upkeep.look_after()
        except MariadbError as error:
            failures.append((error.reason, "MariaDB {0}: {1}".format(server, error.message)))
        step.record["found"][server] = {"tables": upkeep.tables, "rebuilt": upkeep.rebuilt}
        looked += upkeep.tables
    if failures:
        raise ProcedureError(failures[0][0], "; ".join(words for _reason, words in failures))
    return _message(step.record, looked)


def _message(record, looked):
    done = [action["action"] for action in record["actions"] if action["outcome"] != "failed"]
    said = [
        "{0} {1}".format(verb, counted(done.count(action), "table"))
        for action, verb in (("rebuild", "rebuilt"), ("analyze", "analyzed"))
        if action in done
    ]
    if not said and looked:
        said.append("nothing was needed in " + counted(looked, "table"))
    if record["reclaimed_bytes"]:
        said.append("freed {0}".format(size(record["reclaimed_bytes"])))
    return "MariaDB: " + ", ".join(said) if said else ""


def prove(step, params):
    """Look into what `maintain` (its `found` is `before`) built anew; returns the message, or raises ProcedureError."""
    worse, looked = [], 0
    for server, spec in sorted(_servers(params).items()):
        mariadb = Mariadb(step, spec, params)
        for target, table in params["before"].get(server, {}).get("rebuilt", []):
            looked += 1
            worse += checked(step, mariadb, target, table)
    if worse:
        raise ProcedureError("verification_failed", "MariaDB is not as before: " + "; ".join(worse))
    return "MariaDB: {0} as before".format(counted(looked, "table")) if looked else ""
