# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A MariaDB server of one's own, empty and for as long as a proof takes."""

from __future__ import annotations

import contextlib
import os
import re

from ..engines.base import BackupError
from . import mariadb_client as ask
from .private import program, wait_until

# What an empty server and its logs take.
ROOM_BYTES = 128 << 20
_START_S = 60
_STARTING = "Starting MariaDB"
_SOCKET = "mysqld.sock"
_INSTALL = ("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
# It is thrown away, so nothing of it has to survive; and what it loads may not act by itself.
_SERVE = (
    *("--skip-networking", "--event-scheduler=OFF", "--skip-log-bin", "--max-allowed-packet=1G"),
    *("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite", "--innodb-file-per-table"),
)


@contextlib.contextmanager
def running(effects, place):
    """An empty server in a private Place; yields how to reach it."""
    data = "--datadir={0}/data".format(place.inside)
    small = "--innodb-log-file-size=16M"
    install = [program("mariadb-install-db", "mysql_install_db"), "--no-defaults", data, *_INSTALL, small]
    effects.run([*place.prefix, *install], "engine_failed", "Preparing an empty MariaDB", cwd=place.directory)
    own = [data, "--socket={0}/{1}".format(place.inside, _SOCKET), "--tmpdir=" + place.inside, small]
    argv = [*place.prefix, program("mariadbd", "mysqld"), "--no-defaults", *own, *_SERVE]
    log = os.path.join(place.directory, "server.log")
    # A relative socket, because the full path may be longer than sockets allow.
    server = ask.Server(["--no-defaults", "--socket=" + _SOCKET, "--user=root"], {"MYSQL_PWD": ""}, place.directory)
    socket = os.path.join(place.directory, _SOCKET)
    with open(log, "wb") as stream, effects.start(argv, _STARTING, stream, stream, cwd=place.directory) as process:
        wait_until(effects, process, lambda: os.path.exists(socket), _START_S, log)
        yield server


def require_not_older(talk, dump):
    """An older server may refuse a dump that is fine."""
    with open(dump, "rb") as stream:
        found = re.search(rb"^-- Server version\s+(\d+)\.(\d+)", stream.read(4096), re.MULTILINE)
    here = re.match(r"(\d+)\.(\d+)", talk.ask("SELECT VERSION()")[0][0])
    if found and tuple(map(int, found.groups())) > tuple(map(int, here.groups())):
        text = "the dump is of MariaDB {0}, this host has {1}. Nothing was proven. Install that version or a newer one"
        theirs = ".".join(part.decode() for part in found.groups())
        raise BackupError("application_missing", text.format(theirs, here.group()))
