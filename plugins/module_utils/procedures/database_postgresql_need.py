# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tables and indexes of a PostgreSQL database need, decided from measurements alone. No effects."""

from __future__ import annotations

import fnmatch
import math
from collections import namedtuple

from ..family import size
from ..sources.postgresql_talk import name, text

# action (a word of the record), target (database.schema.name), statement, subject (the table or index as measured), why
Work = namedtuple("Work", "action target statement subject why")

_ALIGNMENT = {"c": 1, "s": 2, "i": 4, "d": 8}
# Where there are no statistics of a column, as if it were wide: so little looks like bloat.
_UNKNOWN_WIDTH = 1024
_PAGE_HEADER, _BTREE_SPECIAL, _ITEM_POINTER = 24, 16, 4
_TABLE_TUPLE, _INDEX_TUPLE = 23, 8


def full_name(database, one):
    return "{0}.{1}.{2}".format(database, one["schema"], one["name"])


def quoted(one):
    """A table or index as SQL has it."""
    return "{0}.{1}".format(name(one["schema"]), name(one["name"]))


def statement(words, one):
    return "{0} {1}".format(words, quoted(one))


def is_excluded(target, patterns):
    return any(fnmatch.fnmatchcase(target, pattern) for pattern in patterns)


def table_work(database, tables, limits):
    """The VACUUM and ANALYZE that tables need, as a list of Work, the most urgent first."""
    works = [_of_table(full_name(database, table), table, limits) for table in tables]
    urgency = {"freeze": 0, "vacuum": 1, "analyze": 2}
    return sorted(filter(None, works), key=lambda work: urgency[work.action])


def _of_table(target, table, limits):
    if table["held"] or is_excluded(target, limits["exclude"]):
        return None
    live, dead, changed = table["live"], table["dead"], table["changed"]
    if (table["wraparound_percent"] or 0) >= limits["wraparound_percent"]:
        why = "{0:g}% of the transaction numbers used".format(table["wraparound_percent"])
        return Work("freeze", target, statement("VACUUM (FREEZE, ANALYZE)", table), table, why)
    if dead >= limits["dead_rows"] and dead * 100 >= limits["dead_percent"] * (live + dead):
        why = "{0} dead rows beside {1}".format(dead, live)
        return Work("vacuum", target, statement("VACUUM (ANALYZE)", table), table, why)
    if table["never_analyzed"]:
        return Work("analyze", target, statement("ANALYZE", table), table, "never analyzed")
    if changed >= limits["dead_rows"] and changed * 100 >= limits["stale_percent"] * live:
        why = "{0} rows changed since it was analyzed, of {1}".format(changed, live)
        return Work("analyze", target, statement("ANALYZE", table), table, why)
    return None


def leftovers(database, indexes, limits):
    """What a failed REINDEX CONCURRENTLY left behind for certain, and nobody works on, as a list of Work."""
    found = []
    for index in indexes:
        target = full_name(database, index)
        is_free = not index["building"] and not index["held"]
        if index["leftover"] and is_free and not is_excluded(target, limits["exclude"]):
            why = "left behind by a REINDEX CONCURRENTLY that failed"
            found.append(Work("remove", target, statement("DROP INDEX CONCURRENTLY", index), index, why))
    return found


def index_work(database, indexes, limits):
    """The indexes that are to be built anew, as a list of Work, invalid ones first."""
    invalid, bloated = [], []
    for index in indexes:
        target = full_name(database, index)
        if not can_reindex(index) or is_excluded(target, limits["exclude"]):
            continue
        rebuild = statement("REINDEX INDEX CONCURRENTLY", index)
        if not index["valid"]:
            invalid.append(Work("reindex", target, rebuild, index, "invalid"))
        elif is_bloated(index, limits):
            why = "about {0} of {1} are empty".format(size(index_bloat(index)), size(index["size_bytes"]))
            bloated.append(Work("reindex", target, rebuild, index, why))
    return invalid + sorted(bloated, key=lambda work: -work.subject["size_bytes"])


def can_reindex(index):
    """Whether REINDEX CONCURRENTLY can be sure of an index: it is nobody's work or doubtful leftover."""
    looks_left = not index["valid"] and ("_ccnew" in index["name"] or "_ccold" in index["name"])
    of_user = index["schema"] != "pg_toast"
    is_free = not index["building"] and not index["held"]
    return of_user and is_free and not (index["partitioned"] or index["exclusion"] or looks_left)


def is_bloated(index, limits):
    empty = index_bloat(index)
    return empty >= limits["bloat_bytes"] and empty * 100 >= limits["bloat_percent"] * index["size_bytes"]


def is_checkable(index):
    """Whether amcheck can look into an index."""
    return index["method"] == "btree" and index["valid"] and not index["partitioned"] and not index["held"]


def amchecks(database, indexes, schema):
    """What asks amcheck (in its schema) about each index that it can look into, by the index's name."""
    ask = "SELECT {0}.bt_index_check(to_regclass({1}))"
    return {
        full_name(database, one): ask.format(name(schema), text(quoted(one))) for one in indexes if is_checkable(one)
    }


def is_wasteful(table, limits):
    """Whether so much of a table is empty that somebody should know: VACUUM leaves the room to its next rows."""
    empty = table_bloat(table)
    return empty >= limits["bloat_bytes"] and empty * 100 >= limits["bloat_percent"] * table["heap_bytes"]


def unused(indexes, counted_days, limits):
    """Indexes that nobody read for long, and that nothing needs."""
    if counted_days < limits["unused_days"]:
        return []
    return [
        one for one in indexes
        if one["valid"] and not one["needed"] and not one["scans"] and one["size_bytes"] >= limits["unused_bytes"]
    ]  # fmt: skip


def index_bloat(index):
    """About how many bytes of a B-tree index are empty beyond its fillfactor; 0 for any other kind.

    An estimate from the widths that ANALYZE found, in the manner of J.-G. de Rorthais
    (github.com/ioguix/pgsql-bloat-estimation). Since PostgreSQL 13 equal keys share space, so that such an index looks
    less bloated than it is.
    """
    if index["method"] != "btree" or index["rows"] < 0 or index["partitioned"]:
        return 0
    header = _INDEX_TUPLE + 4 * _has_nulls(index)
    room = (index["block_bytes"] - _PAGE_HEADER - _BTREE_SPECIAL) * index["fillfactor"] / 100
    per_page = max(1, math.floor(room / _tuple_bytes(header, index["columns"])))
    leaves = math.ceil(index["rows"] / per_page)
    # The meta page, and a page above for each two hundred below, which is more than there are.
    pages = 1 + leaves + math.ceil(leaves / 200)
    return max(0, index["size_bytes"] - pages * index["block_bytes"])


def table_bloat(table):
    """About how many bytes of a table (without what is stored apart, TOAST) hold no row."""
    if table["rows"] <= 0 or not table["columns"]:
        return 0
    header = _TABLE_TUPLE + (len(table["columns"]) + 7) // 8 * _has_nulls(table)
    room = (table["block_bytes"] - _PAGE_HEADER) * table["fillfactor"] / 100
    per_page = max(1, math.floor(room / _tuple_bytes(header, table["columns"])))
    return max(0, table["heap_bytes"] - math.ceil(table["rows"] / per_page) * table["block_bytes"])


def _has_nulls(one):
    return any(share for _width, share, _length, _alignment in one["columns"] or ())


def _tuple_bytes(header, columns):
    """What one tuple takes on its page, pointer included."""
    total = _aligned(header, 8)
    for known_width, null_share, length, alignment in columns or ():
        width = _UNKNOWN_WIDTH if known_width is None else known_width
        # Short texts have a header of one byte, and so no alignment.
        before = _aligned(total, _ALIGNMENT[alignment]) if length > 0 else total
        total += (before + width - total) * (1 - (null_share or 0))
    return _ITEM_POINTER + _aligned(math.ceil(total), 8)


def _aligned(number, alignment):
    return -(-number // alignment) * alignment
