# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Figures of a host before and after a change: the operator's own command, or a cheap one that every host has."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import tempfile
import time

from .base import ProcedureError
from .tuning import gain_percent

_TIMES = 50


class Measure:
    """What is measured; `asked` is the parameter of the module."""

    def __init__(self, step, asked, directory):
        self._step = step
        self._asked = asked
        self._directory = directory

    def take(self):
        """The median of the samples. Raises ProcedureError(measure_failed)."""
        return statistics.median(self._once() for _sample in range(self._asked["samples"]))

    def verdict(self, before, after):
        """(whether it helped enough, words)."""
        gain = gain_percent(before, after, self._asked["better"])
        least = self._asked["least_gain_percent"]
        words = "{0:g} -> {1:g}, a gain of {2:.1f} %, wanted {3:g} %".format(before, after, gain, least)
        return gain >= least, words

    def _once(self):
        builtin = self._asked["builtin"]
        if builtin:
            return {"tcp_connect_us": _tcp_connect_us, "disk_sync_us": self._disk_sync_us}[builtin]()
        done = self._step.run(["/bin/sh", "-c", self._asked["command"]], user=self._asked["user"])
        if done.rc:
            text = "the command that measures ended with {0}: {1}"
            raise ProcedureError("measure_failed", text.format(done.rc, done.err.strip()[-200:]))
        try:
            return float(done.out.split()[-1])
        except (ValueError, IndexError):
            text = "the command that measures printed no number, but {0!r}".format(done.out[-200:])
            raise ProcedureError("measure_failed", text) from None

    def _disk_sync_us(self):
        with tempfile.TemporaryFile(dir=self._directory) as stream:

            def write():
                stream.write(bytes(4096))
                stream.flush()
                os.fsync(stream.fileno())

            return _median_us(write)


def _tcp_connect_us():
    with contextlib.closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(_TIMES)
        return _median_us(lambda: socket.create_connection(server.getsockname(), 5).close())


def _median_us(work):
    taken = []
    for _time in range(_TIMES):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1e6 * statistics.median(taken)
