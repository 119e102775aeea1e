# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the file systems can take new packages."""

from __future__ import annotations

import glob
import os

from .base import ProcedureError

MARGIN_BYTES = 64 << 20


def room_needed(changes, have):
    """Bytes that are needed: {download, unpack}. `have` is the size of what is installed now, by package.

    dpkg has the old and the new files of one package at a time.
    """
    grown = sum(max(0, change["installed_bytes"] - have.get(change["package"], 0)) for change in changes)
    largest = max([change["installed_bytes"] for change in changes], default=0)
    return {"download": sum(change["size_bytes"] for change in changes), "unpack": grown + largest}


def require_room(changes, have, archives, copies):
    """Raise ProcedureError(no_space) unless there is room; `archives` is where packages are fetched to.

    With 2 `copies`, those that are replaced are kept, too; they are about as large.
    """
    need = room_needed(changes, have)
    wanted = {}
    for place, size in ((archives, need["download"] * copies), ("/usr", need["unpack"]), *_kernel(changes)):
        device = os.stat(place).st_dev
        wanted[device] = (place, size + wanted.get(device, (place, MARGIN_BYTES))[1])
    for place, size in wanted.values():
        room = os.statvfs(place)
        free = room.f_bavail * room.f_frsize
        if free < size:
            text = "{0} has {1} MiB free, and the updates need {2} MiB. Nothing was installed. Make room there first."
            raise ProcedureError("no_space", text.format(place, free >> 20, size >> 20))


def _kernel(changes):
    """What a new kernel needs in /boot beside its package: room for one more initramfs."""
    sizes = [os.path.getsize(path) for path in glob.glob("/boot/initrd.img-*")]
    has_kernel = any(one["package"].startswith("linux-image-") and one["to"] for one in changes)
    return [("/boot", max(sizes))] if has_kernel and sizes else []
