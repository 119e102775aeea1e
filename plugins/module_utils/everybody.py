# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether this user sees the processes of all others."""

from __future__ import annotations

import os

from .family import CannotLookError

INIT = "/proc/1/stat"  # of process 1, which always runs, and is nobody's own


def are_hidden():
    """Whether /proc is mounted with hidepid (proc(5)), so that what others run looks as if it did not run."""
    return not os.access(INIT, os.R_OK)


def require_all():
    """CannotLookError when some processes cannot be seen."""
    if are_hidden():
        raise CannotLookError(
            "the processes of other users are hidden from this one (/proc is mounted with hidepid)",
            "check as root (roundsman_health_become: true), or let the user into the group of the mount's gid=",
        )
