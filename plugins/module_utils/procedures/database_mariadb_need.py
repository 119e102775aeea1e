# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tables of a MariaDB server need, decided from measurements alone. No effects."""

from __future__ import annotations

import fnmatch
from collections import namedtuple

from ..family import size
from ..sources.mariadb_client import name

# All of one table: data_bytes (with indexes), free_bytes (of its file), stale_days (since it was analyzed, None when it
# was not written to since then)
Table = namedtuple("Table", "database name engine data_bytes free_bytes stale_days")


def table_of(row):
    """A Table of a row of text, as the client gives it; NULL where the server does not know."""
    numbers = [None if value == "NULL" else int(value) for value in row[3:]]
    return Table(*row[:3], numbers[0] or 0, numbers[1] or 0, numbers[2])


def full_name(table):
    return "{0}.{1}".format(table.database, table.name)


def quoted(table):
    return "{0}.{1}".format(name(table.database), name(table.name))


def whole_bytes(table):
    return table.data_bytes + table.free_bytes


def needs(table, limits):
    """(action, why) of what a table needs, or None. Only InnoDB's can be worked on while others write."""
    if table.engine != "InnoDB" or any(fnmatch.fnmatchcase(full_name(table), one) for one in limits["exclude"]):
        return None
    free, whole = table.free_bytes, whole_bytes(table)
    is_bloated = free >= limits["bloat_bytes"] and free * 100 >= limits["bloat_percent"] * whole
    if is_bloated and limits["depth"] == "full":
        return "rebuild", "{0} of {1} are free".format(size(free), size(whole))
    if table.stale_days is not None and table.stale_days >= limits["stale_days"]:
        return "analyze", "written to since it was analyzed {0} days ago".format(table.stale_days)
    return None
