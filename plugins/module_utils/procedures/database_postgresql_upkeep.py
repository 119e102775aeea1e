# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maintenance of one PostgreSQL server while the application works: no statement waits long, nor makes wait."""

from __future__ import annotations

import contextlib
import os

from ..family import size, span
from . import database_postgresql_measure as measure
from . import database_postgresql_need as need
from . import database_postgresql_words as words
from .database_postgresql_ask import DISK_FULL, GONE, SqlError

# What a new index may take: the size of the old one, and its WAL may lie there, too.
ROOM_FACTOR, ROOM_BYTES = 2, 64 << 20


class Upkeep:
    """`limits` are the parameters of the module. `unchecked` are the databases that amcheck is not in, `found` is what
    each had before.
    """

    def __init__(self, step, postgres, limits):
        self._step = step
        self._postgres = postgres
        self._limits = limits
        self.unchecked = []
        self.found = {}

    def is_standby(self):
        """A standby gets what its primary does. Raises SqlError for a login that may not do the work."""
        server = self._postgres.rows("postgres", measure.SERVER)[0]
        if not server["standby"] and not server["superuser"]:
            raise SqlError(None, words.NO_SUPERUSER)
        return server["standby"]

    def databases(self):
        """Those that applications use, and templates whose transaction numbers run out."""
        found, chosen = self._postgres.rows("postgres", measure.DATABASES), []
        for one in found:
            self._largest("before", "postgresql_wraparound_percent", one["wraparound_percent"])
            is_old = one["wraparound_percent"] >= self._limits["wraparound_percent"]
            if is_old:
                self._step.warn(words.WRAPAROUND.format(one["name"], one["wraparound_percent"]))
            if one["open"] and (is_old or not one["template"]):
                chosen.append(one)
        return chosen

    def look_after(self, database):
        """Do what one database needs; returns the failures as (reason, words)."""
        try:
            return self._look_after(database)
        except SqlError as error:
            if not self._postgres.rows("postgres", measure.is_there(database["name"])):
                return []
            return [(error.reason, words.STOPPED.format(database["name"], error.message))]

    def _look_after(self, database):
        name, full = database["name"], self._limits["depth"] == "full" and not database["template"]
        tables, indexes = self._measured(name, "before")
        held = sorted({one["table"] for one in indexes if one["held"]} | {one["name"] for one in tables if one["held"]})
        if held:
            self._step.warn(words.HELD.format(name, ", ".join(held)))
        self._add("before", "postgresql_size_bytes", database["size_bytes"])
        invalid = [need.full_name(name, one) for one in indexes if not one["valid"]]
        self.found[name] = {"invalid": invalid, "size_bytes": database["size_bytes"]}
        damaged = self._damaged(name, indexes) if full else []
        if damaged:
            return [("damaged", words.DAMAGED.format(name, "; ".join(damaged)))]
        failures = self._work(name, need.table_work(name, tables, self._limits))
        if full:
            failures += self._rebuild(name)
        if not self._step.check_mode:
            tables, indexes = self._measured(name, "after")
            self._measure_database(name)
        self._report(database, tables, indexes)
        return failures

    def _measured(self, database, when):
        tables, indexes = self._postgres.answers(database, measure.TABLES, measure.INDEXES)
        self._add(when, "postgresql_dead_rows", sum(one["dead"] for one in tables))
        self._add(when, "postgresql_table_bloat_bytes", sum(map(need.table_bloat, tables)))
        self._add(when, "postgresql_index_bloat_bytes", sum(map(need.index_bloat, indexes)))
        self._add(when, "postgresql_invalid_indexes", sum(not one["valid"] for one in indexes))
        return tables, indexes

    def _measure_database(self, database):
        found = self._postgres.rows("postgres", measure.DATABASES)
        self._add("after", "postgresql_size_bytes", sum(one["size_bytes"] for one in found if one["name"] == database))
        self._largest("after", "postgresql_wraparound_percent", max(one["wraparound_percent"] for one in found))

    def _add(self, when, figure, number):
        self._step.record[when][figure] = self._step.record[when].get(figure, 0) + number

    def _largest(self, when, figure, number):
        self._step.record[when][figure] = max(self._step.record[when].get(figure, 0), number)

    def _damaged(self, database, indexes):
        """What amcheck finds wrong with B-trees, in words; nothing where the extension is not."""
        schema = self._postgres.rows(database, measure.AMCHECK)
        if not schema and self._limits["create_amcheck"]:
            schema = self._create_amcheck(database)
        if not schema:
            self.unchecked.append(database)
            return []
        if self._step.check_mode:
            return []
        damaged = []
        for target, error in self._postgres.each(database, need.amchecks(database, indexes, schema[0]["schema"])):
            if error.is_damage:
                damaged.append("{0}: {1}".format(target, error.message))
            else:
                self._step.warn("amcheck could not look into {0}: {1}".format(target, error.message))
        return damaged

    def _create_amcheck(self, database):
        if not self._postgres.rows(database, measure.AMCHECK_AVAILABLE):
            return []
        if self._step.check_mode:
            self._step.plan("create", "extension amcheck in " + database)
            return [{"schema": "public"}]
        with self._step.action("create", "extension amcheck in " + database):
            self._postgres.do(database, "CREATE EXTENSION amcheck SCHEMA public")
        return [{"schema": "public"}]

    def _rebuild(self, database):
        """Remove what failed before, and build invalid and bloated indexes anew; returns the failures."""
        long = measure.LONG_TRANSACTION.format(self._limits["lock_wait_s"])
        indexes, long = self._postgres.answers(database, measure.INDEXES, long)
        left = need.leftovers(database, indexes, self._limits)
        works = need.index_work(database, indexes, self._limits)
        if not left and not works:
            return []
        if long and not self._step.check_mode:
            number, age = len(left) + len(works), span(long[0]["age_s"])
            self._step.warn(words.WAITS.format(database, number, long[0]["pid"], long[0]["user"], age))
            return []
        failures = self._work(database, [one for one in left if self._is_still_left(database, one)])
        return failures + self._work(database, [one for one in works if self._has_room(one)])

    def _is_still_left(self, database, work):
        return bool(self._postgres.rows(database, measure.is_still_leftover(work.subject)))

    def _has_room(self, work):
        """Whether there is room for a second copy of an index. A server elsewhere knows its own disks."""
        directory = work.subject["directory"]
        try:
            room = os.statvfs(directory)
        except OSError:
            return True
        wanted, free = work.subject["size_bytes"] * ROOM_FACTOR + ROOM_BYTES, room.f_bavail * room.f_frsize
        if free < wanted:
            self._step.warn(words.NO_ROOM.format(work.target, directory, size(free), size(wanted)))
        return free >= wanted

    def _work(self, database, works):
        """Do, or plan, each; returns the failures."""
        failures = []
        for work in works:
            before = work.subject["size_bytes"]
            if self._step.check_mode:
                self._step.plan(work.action, work.target, before, work.why)
                continue
            try:
                with self._step.action(work.action, work.target, before, work.why) as done:
                    done["detail"] = self._came_of(work, self._do(database, work))
            except SqlError as error:
                failures += self._not_done(work, error)
        return failures

    def _do(self, database, work):
        """What the table or index is like after the work: a list of one, of none when it is gone, None if unknown."""
        tidy = (lambda: self._tidy(database, work)) if work.action == "reindex" else None
        then = measure.now_of(need.quoted(work.subject))
        return self._postgres.do(database, work.statement, measure.is_vacuumed(work.subject), then, tidy)

    def _tidy(self, database, work):
        """Remove what a REINDEX that failed left behind; what cannot be had now, the next run finds."""
        for left in need.leftovers(database, self._postgres.rows(database, measure.INDEXES), self._limits):
            if (left.subject["schema"], left.subject["table"]) == (work.subject["schema"], work.subject["table"]):
                with contextlib.suppress(SqlError):
                    self._postgres.do(database, left.statement)

    def _came_of(self, work, found):
        """What an action brought, in words; counts what it freed. `found` is what `_do` says."""
        if found is None:
            return work.why
        before, told = work.subject["size_bytes"], [work.why]
        freed = max(0, before - (found[0]["size_bytes"] if found else 0))
        self._step.record["reclaimed_bytes"] = (self._step.record["reclaimed_bytes"] or 0) + freed
        if found and work.action == "freeze":
            told.append("now {0:g}%".format(found[0]["wraparound_percent"]))
        if found and freed:
            told.append("{0} became {1}".format(size(before), size(found[0]["size_bytes"])))
        return "; ".join(told)

    def _not_done(self, work, error):
        """The failures, none for what is worth a warning only, of a statement that the server did not do."""
        if error.code in words.WARNED:
            self._step.warn(words.WARNED[error.code].format(work.target, work.statement, self._limits["attempts"]))
            return []
        if error.code in GONE:
            return []
        reason = "damaged" if error.is_damage else "no_space" if error.code == DISK_FULL else "procedure_failed"
        return [(reason, "{0}: {1} failed: {2}".format(work.target, work.statement, error.message))]

    def _report(self, database, tables, indexes):
        """Say what only a person can decide."""
        name, limits = database["name"], self._limits
        if self._vacuumed().intersection(one.target for one in need.table_work(name, tables, limits)):
            holder = self._postgres.rows("postgres", measure.HOLDER)
            self._step.warn(words.KEPT.format(name, holder[0]["what"] if holder else "an earlier transaction"))
        for one in tables:
            if need.is_wasteful(one, limits):
                empty, heap = size(need.table_bloat(one)), size(one["heap_bytes"])
                self._step.warn(words.WASTEFUL.format(need.full_name(name, one), empty, heap))
        for one in indexes:
            if not one["valid"] and not one["building"] and not self._step.check_mode:
                self._step.warn(words.INVALID.format(need.full_name(name, one), need.quoted(one)))
        idle = need.unused(indexes, database["counted_days"], limits)
        if idle:
            names = ", ".join(need.full_name(name, one) for one in idle[:5])
            total = size(sum(one["size_bytes"] for one in idle))
            self._step.warn(words.UNUSED.format(len(idle), total, database["counted_days"], names))

    def _vacuumed(self):
        """The tables that were vacuumed, so that what is dead there still is held by somebody."""
        done = (one for one in self._step.record["actions"] if one["outcome"] == "done")
        return {one["target"] for one in done if one["action"] in ("vacuum", "freeze")}
