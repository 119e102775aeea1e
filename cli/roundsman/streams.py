"""Standard output and error that outlive their readers."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO


class _Lasting(io.FileIO):
    """A file descriptor; after the first error what is written is dropped, and `failure` says why."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


_replaced: list[TextIO | None] = []  # a stream that nobody holds any more would close its descriptor


def make_lasting() -> None:
    """Replace both standard streams of this process."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        before: TextIO | None = getattr(sys, name)
        # Where the shell closed it (>&-), the next file that is opened would take its place.
        if before is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        _replaced.append(before)
        raw = _Lasting(descriptor, "w", closefd=False)
        setattr(sys, name, io.TextIOWrapper(
            io.BufferedWriter(raw), encoding=before.encoding if before else "utf-8",
            errors="backslashreplace", line_buffering=descriptor == 2 or raw.isatty(),
        ))  # fmt: skip


def failure(stream: TextIO) -> OSError | None:
    """Why the stream takes nothing any more, if it does not."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, _Lasting) else None


def lost_words(stream: TextIO) -> str | None:
    """What was not written though somebody wanted it, in words: whoever closes a pipe has read enough."""
    error = failure(stream)
    return None if error is None or error.errno == errno.EPIPE else error.strerror
