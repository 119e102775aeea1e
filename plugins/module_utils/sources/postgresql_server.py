# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL server of one's own, empty and for as long as a proof takes."""

from __future__ import annotations

import contextlib
import glob
import json
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


def about(copy, file):
    """What a backup wrote beside its data about them."""
    try:
        with open(os.path.join(copy, file)) as stream:
            return json.load(stream)
    except (OSError, ValueError) as error:
        raise BackupError("proof_failed", "the copy holds no readable {0}: {1}".format(file, error)) from error


def programs(effects, at_least, exactly=False):
    """The directory of the newest server programs that read dumps of the major version `at_least`; `exactly` those of
    that version, which alone read its files.
    """
    found = {}
    for initdb in [*_on_the_path(), *(one for home in _HOMES for one in glob.glob(home + "/initdb"))]:
        # A place says nothing: what is on the path may be a link to any version.
        said = effects.run([initdb, "--version"], "engine_failed", "Asking for the version of PostgreSQL", cwd="/").out
        found[int(re.search(r"\) (\d+)", said).group(1))] = os.path.dirname(os.path.realpath(initdb))
    fit = [version for version in found if version == at_least or (version > at_least and not exactly)]
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
    directory = programs(effects, at_least)
    data = place.inside + "/data"
    server = reached(place, directory, _OWNER)
    options = ["--pgdata=" + data, "--username=" + _OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    effects.run(client(server, "initdb", *options), "engine_failed", "Preparing an empty PostgreSQL", cwd="/")
    with serving(effects, place, server, (), _START_S):
        yield server


def reached(place, directory, owner):
    """How to reach the server of a place, whose programs are in `directory`, as `owner` (a role)."""
    return Server(place.prefix, directory, {"PGHOST": place.inside, "PGUSER": owner}, None)


@contextlib.contextmanager
def serving(effects, place, server, settings, patience_s):
    """The server of the data that lie in the place, as long as the block lasts; more `settings` as `name=value`."""
    words = [word for one in (*_SERVE, *settings) for word in ("-c", one)]
    argv = client(server, "postgres", "-D", place.inside + "/data", "-k", place.inside, *words)
    log = os.path.join(place.directory, "server.log")
    with open(log, "wb") as stream, effects.start(argv, "Starting PostgreSQL", stream, stream, cwd="/") as process:
        state = os.path.join(place.directory, "data", "postmaster.pid")
        wait_until(effects, process, lambda: _ready(state), patience_s, log)
        yield


def _ready(path):
    """Whether the server's own file says that it accepts connections."""
    try:
        with open(path) as stream:
            return "ready" in stream.read().split()
    except FileNotFoundError:
        return False


_NO_SERVER = (
    "the copy is of PostgreSQL {0}; server programs on this host: {1}. Nothing was done with it. Install "
    "postgresql-{0} here (for a dump a newer one will do), or set roundsman_drill_host to a host that has it"
)
