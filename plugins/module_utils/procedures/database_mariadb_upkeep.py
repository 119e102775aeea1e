# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maintenance of one MariaDB server while the application works: no statement waits long, nor makes wait."""

from __future__ import annotations

import os

from ..family import size, span
from ..sources.mariadb_client import SYSTEM
from .database_mariadb_ask import (
    GAVE_WAY,
    GONE,
    KILLED,
    LOCK_WAIT,
    MUCH_WRITTEN,
    NOT_ONLINE,
    OVER,
    MariadbError,
    said_of,
)
from .database_mariadb_need import full_name, needs, quoted, table_of, whole_bytes

ROOM_FACTOR, ROOM_BYTES = 1.2, 128 << 20
_TABLES = """SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.ENGINE, t.DATA_LENGTH + t.INDEX_LENGTH, t.DATA_FREE,
    IF(t.UPDATE_TIME > s.analyzed, DATEDIFF(NOW(), s.analyzed), NULL)
    FROM information_schema.TABLES t LEFT JOIN (SELECT database_name, SUBSTRING_INDEX(table_name, '#P#', 1) AS name,
        MIN(last_update) AS analyzed FROM mysql.innodb_table_stats GROUP BY 1, 2) s
    ON s.database_name = t.TABLE_SCHEMA AND s.name = t.TABLE_NAME
    WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.TABLE_SCHEMA NOT IN ({0})
    ORDER BY t.TABLE_SCHEMA, t.TABLE_NAME""".format(", ".join("'{0}'".format(one) for one in SYSTEM))  # noqa: S608
_SERVER = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('datadir', 'innodb_file_per_table', 'wsrep_on')"
_LONG = """SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.INNODB_TRX
    WHERE trx_started < NOW() - INTERVAL {0} SECOND ORDER BY trx_started LIMIT 1"""


class Upkeep:
    """The maintenance of one server. `tables` is how many it has, `rebuilt` names those that were built anew."""

    def __init__(self, step, mariadb, limits):
        self._step = step
        self._mariadb = mariadb
        self._limits = limits
        self.tables = 0
        self.rebuilt = []

    def look_after(self):
        """Returns the failures as (reason, words)."""
        settings = dict(self._mariadb.ask(_SERVER))
        tables = self._measured("before")
        self.tables = len(tables)
        damaged = self._damaged(tables) if self._limits["depth"] == "full" and not self._step.check_mode else []
        if damaged:
            return [("damaged", _DAMAGED.format("; ".join(damaged)))]
        works = [(table, needs(table, self._limits)) for table in tables]
        works = [(table, *need) for table, need in works if need]
        rebuilds = [one for one in works if one[1] == "rebuild"]
        failures = []
        for table, action, why in works:
            if action == "analyze":
                failures += self._do(table, action, why)
        if rebuilds and self._may_rebuild(settings, rebuilds):
            for table, action, why in rebuilds:
                if self._has_room(settings["datadir"], table):
                    failures += self._do(table, action, why)
        if not self._step.check_mode:
            self._count_freed(tables, self._measured("after"))
        return failures

    def _count_freed(self, before, after):
        """By what was free, which the server knows at any time; what the data take it counts now and then."""
        now = {full_name(table): table.free_bytes for table in after}
        anew = {target for target, _quoted in self.rebuilt}
        freed = [one.free_bytes - now.get(full_name(one), 0) for one in before if full_name(one) in anew]
        if freed:
            self._step.record["reclaimed_bytes"] = (self._step.record["reclaimed_bytes"] or 0) + max(0, sum(freed))

    def _measured(self, when):
        tables = [table_of(row) for row in self._mariadb.ask(_TABLES)]
        figures = self._step.record[when]
        sums = (("size", sum(map(whole_bytes, tables))), ("free", sum(table.free_bytes for table in tables)))
        for figure, number in sums:
            key = "mariadb_{0}_bytes".format(figure)
            figures[key] = figures.get(key, 0) + number
        return tables

    def _damaged(self, tables):
        """What CHECK TABLE finds, in words. Those of other engines it would keep from being written to."""
        found = []
        for table in tables:
            if table.engine == "InnoDB":
                found += checked(self._step, self._mariadb, full_name(table), quoted(table))
        return found

    def _may_rebuild(self, settings, rebuilds):
        """Whether tables may be built anew on this server now; says why not."""
        if settings.get("wsrep_on") == "ON":
            self._step.warn(_CLUSTER.format(len(rebuilds)))
            return False
        if settings["innodb_file_per_table"] != "ON":
            self._step.warn(_ONE_FILE.format(len(rebuilds)))
            return False
        long = self._mariadb.ask(_LONG.format(self._limits["lock_wait_s"]))
        if long and not self._step.check_mode:
            self._step.warn(_WAITS.format(len(rebuilds), long[0][0], span(int(long[0][1]))))
            return False
        return True

    def _has_room(self, directory, table):
        """Whether there is room for a second copy of a table. A server elsewhere knows its own disks."""
        try:
            room = os.statvfs(directory)
        except OSError:
            return True
        wanted, free = int(table.data_bytes * ROOM_FACTOR) + ROOM_BYTES, room.f_bavail * room.f_frsize
        if free < wanted:
            self._step.warn(_NO_ROOM.format(full_name(table), directory, size(free), size(wanted)))
        return free >= wanted

    def _do(self, table, action, why):
        """Do, or plan, one thing; returns the failures."""
        target, whole = full_name(table), whole_bytes(table)
        if self._step.check_mode:
            self._step.plan(action, target, whole, why)
            return []
        try:
            with self._step.action(action, target, whole, why):
                if action == "rebuild":
                    # What OPTIMIZE TABLE does, but refused where it would keep others from writing.
                    self._mariadb.patiently("ALTER TABLE {0} FORCE, ALGORITHM=INPLACE, LOCK=NONE".format(quoted(table)))
                    self.rebuilt.append([target, quoted(table)])
                self._mariadb.patiently("ANALYZE NO_WRITE_TO_BINLOG TABLE {0}".format(quoted(table)))
        except MariadbError as error:
            return self._not_done(target, quoted(table), error)
        return []

    def _not_done(self, target, table, error):
        """The failures, none for what is worth a warning only, of a statement that the server did not do."""
        if error.code == GONE:
            return []
        for codes, words in _WARNED:
            if error.code in codes:
                self._step.warn(words.format(target, table, self._limits["attempts"]))
                return []
        return [("procedure_failed", "{0}: {1}".format(target, error.message))]


def checked(step, mariadb, target, table):
    """What CHECK TABLE finds wrong with a table (its name as SQL has it), as a list of words."""
    try:
        said = said_of(mariadb.patiently("CHECK TABLE {0} QUICK".format(table)))
    except MariadbError as error:
        if error.code is None:
            return ["{0}: {1}".format(target, error.message)]
        if error.code != GONE:
            step.warn("{0} could not be checked: {1}".format(target, error.message))
        return []
    return ["{0}: {1}".format(target, said)] if said else []


_DAMAGED = (
    "MariaDB finds damaged tables, so nothing was changed: {0}. Save the server's files before anything else, and "
    "restore those tables"
)
_CLUSTER = (
    "{0} tables are mostly free, which was left: to build them anew would hold up the whole Galera cluster. Do it by a "
    "rolling schema upgrade (wsrep_OSU_method=RSU), node by node"
)
_ONE_FILE = (
    "{0} tables are mostly free, which was left: the file that they share (innodb_file_per_table is off) never shrinks"
)
_WAITS = (
    "{0} tables are mostly free, which was left: to build them anew would wait for the transaction of thread {1}, open "
    "for {2}. Run roundsman maintain database again when that is over"
)
_NO_ROOM = "{0} was not built anew: {1} has {2} free, and {3} are wanted"
_WARNED = (
    ((LOCK_WAIT,), "{0} was left as it is: its lock was not to be had in {2} attempts. Nothing was held up for longer"),
    ((GAVE_WAY,), "{0} was left as it is: the work gave way to others who waited for a table, in {2} attempts"),
    ((KILLED,), "{0} was left as it is: somebody ended the work (KILL)"),
    ((OVER,), "{0} was left as it is: it took longer than roundsman_database_statement_timeout_s allows"),
    (NOT_ONLINE, "{0} cannot be built anew while others write. OPTIMIZE TABLE {1} while nobody needs it"),
    ((MUCH_WRITTEN,), "{0} was left as it is: too much was written to it meanwhile (innodb_online_alter_log_max_size)"),
)
