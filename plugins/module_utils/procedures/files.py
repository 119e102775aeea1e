# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of the system that procedures write: whole or not at all, also after a power cut."""

from __future__ import annotations

import os

from ..state import replace_file


def write_for_all(path, text):
    """Replace a file that everybody may read, as a whole."""
    replace_file(path, text, 0o644)
    sync_directory(os.path.dirname(path))


def sync_directory(path):
    """Wait until the names in a directory are on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
