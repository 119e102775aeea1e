# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which databases the servers of a host hold, asked of the servers themselves."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil

from .coverage import finding
from .engines import process
from .engines.base import BackupError
from .family import NoAnswerError
from .redis_wire import Redis, RefusedError

PATIENCE_S = 15
# The database that one is connected to (postgres) is there on every server; it counts when somebody put tables in it.
POSTGRESQL = """SELECT coalesce(json_agg(json_build_array(datname, pg_database_size(oid))), '[]') FROM pg_database
    WHERE NOT datistemplate AND datallowconn AND (datname <> current_database() OR EXISTS (SELECT FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information_schema$'))"""
MARIADB = """SELECT @@datadir; SELECT hex(s.schema_name), coalesce(sum(t.data_length + t.index_length), 0)
    FROM information_schema.schemata s LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name
    WHERE s.schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') GROUP BY s.schema_name"""
_START = "Start it and look again, or name {0} in roundsman_coverage_ignore with the reason."


def unseen(kind, directory, problem, remedy=None, port=None, apart=True):
    """The finding for a server whose databases could not be listed; `apart` unless it runs on this host itself."""
    why, remedy = "the data directory of a {0} server".format(kind), remedy or _START.format(directory)
    return finding(kind, directory, why, directory, port, problem=problem, remedy=remedy, apart=apart)


def postgresql(directory):
    try:
        owner = pwd.getpwuid(os.stat(directory).st_uid).pw_name
        with open(os.path.join(directory, "postmaster.pid")) as stream:
            lines = stream.read().splitlines()
        os.kill(int(lines[0]), 0)
        port, place = int(lines[3]), lines[4]
    except PermissionError as error:
        return [unseen("postgresql", directory, "it may not be read ({0})".format(error.strerror), "Run it as root.")]
    except (OSError, KeyError, ValueError, IndexError):
        return [unseen("postgresql", directory, "its server does not run here, so nobody can list its databases")]
    if lines[1] != directory:
        return [unseen("postgresql", directory, "its server runs apart from this host (in a container?)")]
    argv = ["psql", "-XAtqw", "-h", place, "-p", str(port), "-d", "postgres", "-c", POSTGRESQL]
    said, problem = _asked(argv, owner)
    if problem:
        remedy = "Make that query work for " + owner + ", or ignore it."
        return [unseen("postgresql", directory, problem, remedy, port, apart=False)]
    why = "a database of the server in {0}".format(directory)
    return [finding("postgresql", name, why, directory, port, size) for name, size in json.loads(said)]


def mariadb(directory):
    program = next((name for name in ("mariadb", "mysql") if shutil.which(name)), "mariadb")
    said, problem = _asked([program, "--batch", "--skip-column-names", "--execute", MARIADB], None)
    if problem:
        return [unseen("mariadb", directory, problem, apart=directory not in _homes_of("mariadbd", "mysqld"))]
    place, *lines = said.split("\n")[:-1]
    if os.path.realpath(place) != directory:
        return [unseen("mariadb", directory, "the server that answers has its data in another directory")]
    why = "a database of the server in {0}".format(directory)
    return [
        finding("mariadb", bytes.fromhex(name).decode("utf-8", "replace"), why, directory, None, int(size))
        for name, size in (line.split("\t") for line in lines)
    ]


def redis(directories):
    """Instances that run and hold keys, and what lies on disk of those that do not run."""
    found, owned = [], set()
    for host, port in running_redis():
        findings, directory = _redis_at(host, port)
        found += findings
        owned.add(directory)
    problem = "no Redis server that runs here says that this is its data directory"
    homes, silent = _homes_of("redis-server", "valkey-server"), sorted(set(directories) - owned)
    return found + [unseen("redis", path, problem, apart=path not in homes) for path in silent]


def _redis_at(host, port):
    """(findings, its data directory or None)"""
    name, why = "{0}:{1}".format(host, port), "a Redis server with keys"
    try:
        connection = Redis((host, port), PATIENCE_S)
        try:
            sections, place = connection.info(), connection.ask("CONFIG", "GET", "dir")
        finally:
            connection.close()
    except RefusedError:
        why = "a Redis server that asks for a password, so it may hold keys"
        return [finding("redis", name, why, None, port)], None
    except (OSError, ValueError, NoAnswerError) as error:
        problem = "it did not answer ({0})".format(error)
        return [finding("redis", name, why, None, port, problem=problem, remedy=_START.format("redis:" + name))], None
    has_keys = any(key.startswith("db") and value.startswith("keys=") for key, value in sections.items())
    found = [finding("redis", name, why, None, port, int(sections["used_memory"]))] if has_keys else []
    return found, os.path.realpath(place[1])


def running_postgresql():
    """Definitions (host, port, user) of the PostgreSQL servers that run on this host itself, by the files of each."""
    found = {}
    for pid in _pids_of("postgres", "postmaster"):
        with contextlib.suppress(OSError, KeyError, ValueError, IndexError):
            directory = os.readlink("/proc/{0}/cwd".format(pid))
            with open(os.path.join(directory, "postmaster.pid")) as stream:
                lines = stream.read().splitlines()
            # Of all processes of a server only the first one is named there.
            if int(lines[0]) == int(pid):
                owner = pwd.getpwuid(os.stat(directory).st_uid).pw_name
                found[directory] = {"host": lines[4] or "localhost", "port": int(lines[3]), "user": owner}
    return [found[directory] for directory in sorted(found)]


def runs_mariadb():
    """Whether a server of MariaDB or MySQL runs on this host itself."""
    return bool(_pids_of("mariadbd", "mysqld"))


def _pids_of(*programs):
    """Processes of these programs that are not in a container."""
    found, here = [], os.readlink("/proc/self/ns/pid")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if process.program_of(pid) in programs and os.readlink("/proc/{0}/ns/pid".format(pid)) == here:
                found.append(pid)
    return found


def _homes_of(*programs):
    """Where such servers work that run on this host itself: each of these kinds does in its data directory."""
    found = set()
    for pid in _pids_of(*programs):
        with contextlib.suppress(OSError):
            found.add(os.readlink("/proc/{0}/cwd".format(pid)))
    return found


def running_redis():
    """(address, port) of each Redis server in this network namespace, as it shows in its process title."""
    found, here = set(), os.readlink("/proc/self/ns/net")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/{0}/cmdline".format(pid), "rb") as stream:
                words = stream.read().replace(b"\0", b" ").decode("utf-8", "replace").split()
            if len(words) > 1 and os.path.basename(words[0]) in ("redis-server", "valkey-server"):
                host, _colon, port = words[1].rpartition(":")
                if port.isdigit() and int(port) and os.readlink("/proc/{0}/ns/net".format(pid)) == here:
                    found.add(("localhost" if host in ("", "*") else host, int(port)))
        except OSError:
            continue
    return sorted(found)


def _asked(argv, user):
    """(what it said, None), or (None, what is wrong in words)"""
    try:
        said = process.run(argv, dict(os.environ, LC_ALL="C.UTF-8"), PATIENCE_S, user=user, cwd="/")
    except FileNotFoundError:
        return None, "{0} is not on this host".format(argv[0])
    except BackupError as error:
        return None, error.message
    if said.rc is None:
        return None, "{0} did not answer within {1} s".format(argv[0], PATIENCE_S)
    if said.rc:
        return None, "{0}: {1}".format(argv[0], " | ".join(said.err.split("\n")).strip(" |")[-300:])
    return said.out, None
