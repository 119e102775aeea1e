# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a runbook brings restored files to life: exact commands, in a shell function that runs only when it is called."""

from __future__ import annotations

import shlex

# A value of the manifest's first line, by a Python expression on `header`.
_HEADER = """python3 -c 'import json, os, sys
header = json.loads(open(sys.argv[1]).readline())
sys.stdout.buffer.write(os.fsencode(str({0})) + b"\\n")' {1}"""

_POSTGRESQL = r"""
if [ -d data ]; then
    echo "$PWD/data are the files of a whole server, PostgreSQL $(cat data/PG_VERSION): move them to where a server" \
        "of that version shall run, owned by postgres, mode 0700, and start it." >&2
    exit 1
fi
as_postgres() (program=$1; shift; exec runuser -u postgres -- "$(command -v "$program")" "$@")
# Roles that the server has already are complained of, and stay as they are.
owners=(--no-owner --no-acl)
if [ -e roles.sql ]; then
    owners=()
    as_postgres psql -X -q -d template1 < roles.sql
    as_postgres psql -X -q -d template1 < tablespaces.sql
fi
for dump in *.dump; do
    into=(--create --dbname=template1)
    [ "$dump" != postgres.dump ] || into=(--dbname=postgres)
    as_postgres pg_restore --exit-on-error "${owners[@]}" "${into[@]}" < "$dump"
done"""

_MARIADB = r"""
client=$(command -v mariadb || command -v mysql)
"$client" --max-allowed-packet=1G < dump.sql
[ ! -e users.sql ] || "$client" < users.sql
"$client" -e 'FLUSH PRIVILEGES'"""

_REDIS = r"""
if grep -qs '^ *appendonly  *yes' /etc/redis/redis.conf /etc/redis.conf; then
    echo "With appendonly yes Redis does not read dump.rdb: set it to no, load, then run" \
        "redis-cli config set appendonly yes, and set it to yes again." >&2
    exit 1
fi
unit=redis-server
systemctl cat "$unit" > /dev/null 2>&1 || unit=redis
systemctl stop "$unit"
install -o redis -g redis -m 640 dump.rdb /var/lib/redis/dump.rdb
systemctl start "$unit" """

_SQLITE = r"""
python3 -c 'import sqlite3, sys
print(sys.argv[1], *sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchone())' "$PWD$path"
mkdir -p "$(dirname "$path")"
rm -f "$path-wal" "$path-shm"
cp -a "$PWD$path" "$path" """

# Not `cp -a . /`, which would give the mode of this directory to the root.
_FILES = "find . -mindepth 1 -maxdepth 1 -exec cp -a -t / {} +"

_CUSTOM = r"""
echo "$PWD holds what the source's own command had dumped. Its restore command," \
    "to be run as $user with ROUNDSMAN_COPY=$PWD: $restore" """

# By type of source: what to know before, values of the manifest's header that the commands need, and the commands. They
# run where the copy lies.
_LOADS = {
    "files": ("puts all in its place, with owners, times and attributes; look at it first", {}, _FILES),
    "postgresql": ("is for an empty server of the same or a newer version, which runs here", {}, _POSTGRESQL),
    "mariadb": ("is for a server of the same or a newer version, which runs here and lets root in", {}, _MARIADB),
    "redis": ("replaces what Redis has here; the same or a newer version must be installed", {}, _REDIS),
    "sqlite": (
        "replaces the database; stop what uses it first",
        {"path": 'header["definition"]["path"]'},
        _SQLITE,
    ),
    "custom": (
        "tells the source's own command for it",
        {"user": 'header["definition"].get("user", "root")', "restore": 'header["definition"].get("restore", "none")'},
        _CUSTOM,
    ),
}


def load(source, type_, target, manifest):
    """The lines that define `load_SOURCE`. `target` is where the snapshot was restored to, `manifest` a file."""
    about, values, commands = _LOADS.get(type_, _LOADS["custom"])
    # What an application holds lies in the spool, which is the first path of the source.
    inside = "" if type_ == "files" else "$({0})".format(_HEADER.format('header["paths"][0]', shlex.quote(manifest)))
    name = "load_" + source
    lines = ["set -e", "cd {0}{1}".format(shlex.quote(target), '"{0}"'.format(inside) if inside else "")]
    lines += ["{0}=$({1})".format(one, _HEADER.format(value, shlex.quote(manifest))) for one, value in values.items()]
    return [
        "# To bring it to life, call {0}. It {1}.".format(name, about),
        name + "() (",
        *lines,
        commands.strip(),
        ")",
    ]
