# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL server of one's own, empty and for as long as a proof takes."""

from __future__ import annotations

import contextlib
import glob
import os
import re

from ..engines.base import BackupError
from .postgresql_talk import Server, client
from .private import program, wait_until

# What an empty cluster and its logs take.
ROOM_BYTES = 128 << 20
_START_S = 60
# A role that no cluster has, so that all of the dumped ones can be made.
_OWNER = "roundsman_proof"
_HOMES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
# It is thrown away, so nothing of it has to survive; and what it loads may not act by itself.
_SERVE = (
    *("listen_addresses=", "fsync=off", "full_page_writes=off"),
    *("autovacuum=off", "max_logical_replication_workers=0"),
)


def programs(at_least):
    """The directory of the newest server programs that read dumps of the major version `at_least`."""
    found = {}
    for initdb in [*(one for home in _HOMES for one in glob.glob(home + "/initdb")), *_on_the_path()]:
        version = re.search(r"(\d+)", initdb.replace("/usr/lib/postgresql", "").replace("/usr/pgsql-", ""))
        found[int(version.group()) if version else at_least] = os.path.dirname(initdb)
    fit = [version for version in found if version >= at_least]
    if not fit:
        here = ", ".join(map(str, sorted(found))) or "none"
        raise BackupError("application_missing", _NO_SERVER.format(at_least, here))
    return found[max(fit)]


def _on_the_path():
    try:
        return [program("initdb")]
    except BackupError:
        return []


@contextlib.contextmanager
def running(effects, place, at_least):
    """An empty server in a private Place; yields how to reach it."""
    directory = programs(at_least)
    data = place.inside + "/data"
    server = Server(place.prefix, directory, {"PGHOST": place.inside, "PGUSER": _OWNER}, None)
    options = ["--pgdata=" + data, "--username=" + _OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    effects.run(client(server, "initdb", *options), "engine_failed", "Preparing an empty PostgreSQL", cwd="/")
    argv = client(server, "postgres", "-D", data, "-k", place.inside, *(word for one in _SERVE for word in ("-c", one)))
    log = os.path.join(place.directory, "server.log")
    with open(log, "wb") as stream, effects.start(argv, "Starting PostgreSQL", stream, stream, cwd="/") as process:
        state = os.path.join(place.directory, "data", "postmaster.pid")
        wait_until(effects, process, lambda: _ready(state), _START_S, log)
        yield server


def _ready(path):
    """Whether the server's own file says that it accepts connections."""
    try:
        with open(path) as stream:
            return "ready" in stream.read().split()
    except FileNotFoundError:
        return False


_NO_SERVER = (
    "the dump is of PostgreSQL {0}; server programs on this host: {1}. Nothing was proven. Install postgresql-{0} or a "
    "newer one here, or set roundsman_drill_host to a host that has it"
)
