# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A copy of this process that works beside it. A fork, no thread: Python's threads wait for each other at each file."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket

from .engines.process import die_with_parent

_POLL_MS = 1000


class Helper:
    """Runs `work(request)` (from JSON value to JSON value) in a copy of this process; a context manager.

    It takes one request at a time. What it may not begin (`wanted` is false), cannot begin, or does not end, because it
    was killed or `work` failed, is left to the caller of `answer`, who sees then what is wrong.
    """

    def __init__(self, work, wanted=True):
        self._work = work
        self._pid = None
        if wanted:
            with contextlib.suppress(OSError):
                self._begin()

    def _begin(self):
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        try:
            self._pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if not self._pid:
            try:
                ours.close()
                self._serve(theirs, parent)
            finally:
                # Whatever happened, this copy must not go on with what the original does.
                os._exit(0)
        theirs.close()
        self._socket = ours

    def _serve(self, theirs, parent):
        die_with_parent()
        # All that is open stays open, above all the host's locks: they hold for as long as somebody works under them.
        if os.getppid() == parent:
            with theirs.makefile("rb") as requests:
                for request in requests:
                    theirs.sendall(json.dumps(self._work(json.loads(request))).encode("ascii") + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._socket.close()
            self._pid = None

    def ask(self, request=None):
        if self._pid:
            # Who is dead says so when the answer is taken.
            with contextlib.suppress(OSError):
                self._socket.sendall(json.dumps(request).encode("ascii") + b"\n")

    def answer(self, tick, otherwise):
        """What `work` returned for what was asked last, or else what `otherwise()` does; `tick` may end the waiting."""
        said = self._heard(tick) if self._pid else None
        if said:
            return json.loads(said)
        self.__exit__()
        return otherwise()

    def _heard(self, tick):
        """The line that is the answer; None when it is not going to come."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        heard = []
        while not (heard and heard[-1].endswith(b"\n")):
            tick()
            if poll.poll(_POLL_MS):
                try:
                    heard.append(self._socket.recv(1 << 16))
                except OSError:
                    return None
                if not heard[-1]:
                    return None
        return b"".join(heard)
