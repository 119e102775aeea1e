# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings of PostgreSQL: advice from what the server measured about itself, and how a setting is changed and put back.

Numbers are in the unit that pg_settings has for the setting, so that what is read is what was written.
"""

from __future__ import annotations

import os
import time
from collections import namedtuple

from .base import ProcedureError

# value: int or float; unit: kB, 8kB, MB or empty; restart: whether it counts only after one
Setting = namedtuple("Setting", "value unit restart")
# setting -> value, with a reason in words
Advice = namedtuple("Advice", "name value restart why")

_UNIT_BYTES = {"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20}
_NAMES = (
    "shared_buffers", "effective_cache_size", "work_mem", "max_wal_size", "checkpoint_completion_target",
    "random_page_cost", "max_connections",
)  # fmt: skip
_SETTINGS = "SELECT name, setting, coalesce(unit, ''), context = 'postmaster' FROM pg_settings WHERE name IN ('{0}')"
_FIGURES = """SELECT 'temp_bytes', sum(temp_bytes), '', false FROM pg_stat_database UNION ALL
    SELECT 'hit_percent', 100.0 * sum(blks_hit) / greatest(1, sum(blks_hit) + sum(blks_read)), '', false
    FROM pg_stat_database UNION ALL SELECT 'blocks_read', sum(blks_read), '', false FROM pg_stat_database"""
_CHECKPOINTS = {
    False: "SELECT 'timed', checkpoints_timed, '', false FROM pg_stat_bgwriter UNION ALL "
    "SELECT 'requested', checkpoints_req, '', false FROM pg_stat_bgwriter",
    True: "SELECT 'timed', num_timed, '', false FROM pg_stat_checkpointer UNION ALL "
    "SELECT 'requested', num_requested, '', false FROM pg_stat_checkpointer",
}
# Names are those of advice.
_LIVE = "SELECT setting FROM pg_settings WHERE name = '{0}'"
_IN_FILE = "SELECT setting FROM pg_file_settings WHERE name = '{0}' AND sourcefile LIKE '%postgresql.auto.conf'"
_RELOAD_S = 5
_ENOUGH_READ = 100_000
_ENOUGH_CHECKPOINTS = 10
_ENOUGH_TEMPORARY_BYTES = 1 << 30


def advise(settings, figures, memory_bytes, rotates):
    """[Advice] from settings (name -> Setting), what the server counted, and the machine it is on."""
    found = []

    def suggest(name, value, why):
        found.append(Advice(name, value, settings[name].restart, why))

    def bytes_of(name):
        return settings[name].value * _UNIT_BYTES[settings[name].unit]

    def in_unit(name, size_bytes):
        return int(size_bytes // _UNIT_BYTES[settings[name].unit])

    if bytes_of("shared_buffers") < memory_bytes * 0.15 and figures["hit_percent"] < 99 and (
        figures["blocks_read"] > _ENOUGH_READ
    ):
        why = "{0:.1f} % of the blocks were found in memory".format(figures["hit_percent"])
        suggest("shared_buffers", in_unit("shared_buffers", memory_bytes // 4), why)
    cache_bytes = memory_bytes * 7 // 10
    if not cache_bytes / 2 <= bytes_of("effective_cache_size") <= cache_bytes * 2:
        why = "the machine has {0} MiB of memory".format(memory_bytes >> 20)
        suggest("effective_cache_size", in_unit("effective_cache_size", cache_bytes), why)
    most_bytes = memory_bytes // 4 // settings["max_connections"].value
    wanted_bytes = min(4 * bytes_of("work_mem"), most_bytes)
    if figures["temp_bytes"] > _ENOUGH_TEMPORARY_BYTES and wanted_bytes > bytes_of("work_mem"):
        why = "{0} MiB went to temporary files".format(int(figures["temp_bytes"]) >> 20)
        suggest("work_mem", in_unit("work_mem", wanted_bytes), why)
    if figures["requested"] > max(figures["timed"], _ENOUGH_CHECKPOINTS):
        why = "{requested:g} checkpoints came early and {timed:g} in time".format(**figures)
        suggest("max_wal_size", int(settings["max_wal_size"].value * 2), why)
    if settings["checkpoint_completion_target"].value < 0.9:
        suggest("checkpoint_completion_target", 0.9, "checkpoints write in bursts")
    if rotates is False and settings["random_page_cost"].value >= 4:
        suggest("random_page_cost", 1.1, "the data lie on a disk that does not rotate")
    return found


class PostgreSQL:
    """The server of this host, by its own superuser. A change is ALTER SYSTEM and a reload."""

    name = "postgresql"

    def __init__(self, step, user, port):
        self._step = step
        self._user = user
        self._port = port

    def advice(self, memory_bytes):
        settings, figures = {}, {}
        newer = int(self._ask("SHOW server_version_num")) >= 170000
        queries = [_SETTINGS.format("', '".join(_NAMES)), _FIGURES, _CHECKPOINTS[newer]]
        for row in "\n".join(self._ask(query) for query in queries).splitlines():
            name, value, unit, restart = row.split("|")
            if name in _NAMES:
                settings[name] = Setting(float(value), unit, restart == "t")
            else:
                figures[name] = float(value or 0)
        return advise(settings, figures, memory_bytes, _rotates(self._ask("SHOW data_directory")))

    def live(self, target):
        return self._ask(_LIVE.format(target))

    def remember(self, target):
        """What ALTER SYSTEM has set before, or None."""
        return self._ask(_IN_FILE.format(target)) or None

    def write(self, target, value):
        self._alter(target, value)
        until = time.monotonic() + _RELOAD_S
        while self.live(target) != value:
            if time.monotonic() > until:
                raise ProcedureError("not_possible", "{0} is not {1} after a reload".format(target, value))
            time.sleep(0.1)

    def restore(self, target, value):
        self._alter(target, value)

    def persist(self, changes):
        pass

    def _alter(self, target, value):
        how = "RESET {0}" if value is None else "SET {0} = '{1}'"
        self._ask("ALTER SYSTEM " + how.format(target, (value or "").replace("'", "''")))
        self._ask("SELECT pg_reload_conf()")

    def _ask(self, query):
        argv = ["psql", "-XAtqw", "-F", "|", "-p", str(self._port), "-d", "postgres", "-v", "ON_ERROR_STOP=1"]
        done = self._step.run([*argv, "-c", query], user=self._user, cwd="/")
        if done.rc:
            text = "PostgreSQL: {0}".format(done.err.strip() or "psql ended with {0}".format(done.rc))
            raise ProcedureError("not_possible", text)
        return done.out.strip()


def _rotates(directory):
    """Whether the disk below a directory rotates; None where that is not known."""
    try:
        device = os.stat(directory).st_dev
        place = "/sys/dev/block/{0}:{1}/".format(os.major(device), os.minor(device))
        for name in ("queue/rotational", "../queue/rotational"):
            if os.path.exists(place + name):
                with open(place + name) as stream:
                    return stream.read().strip() == "1"
    except OSError:
        pass
    return None
