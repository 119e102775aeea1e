# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of the system that procedures write: whole or not at all, also after a power cut."""

from __future__ import annotations

import contextlib
import os
import tempfile


def write_for_all(path, text):
    """Replace a file that everybody may read, as a whole."""
    fd, fresh = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".roundsman-")
    try:
        with os.fdopen(fd, "w") as stream:
            stream.write(text)
            os.fchmod(stream.fileno(), 0o644)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    sync_directory(os.path.dirname(path))


def sync_directory(path):
    """Wait until the names in a directory are on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
