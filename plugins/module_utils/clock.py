# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a host's clock is right enough to date a snapshot. Pure; all times are seconds since the epoch."""

from __future__ import annotations

from .engines.base import BackupError

TOLERANCE_S = 300


def judge(host_s, controller_s, taken_s):
    """A warning about the host's clock, or None. Raises BackupError when its snapshot would be sorted wrongly.

    One from the future hides all that come later. One from the past does no harm, unless it would lie before another
    snapshot of its source (`taken_s` are their times), which then still looked like the newest.
    """
    ahead_s = host_s - controller_s
    if ahead_s > TOLERANCE_S:
        raise BackupError("clock_wrong", _WRONG.format(ahead_s, "ahead of", "hide all later ones"))
    if ahead_s >= -TOLERANCE_S:
        return None
    if any(host_s <= moment <= controller_s + TOLERANCE_S for moment in taken_s):
        raise BackupError("clock_wrong", _WRONG.format(-ahead_s, "behind", "look older than those that are there"))
    return _BEHIND.format(-ahead_s)


_WRONG = (
    "the host's clock is {0:.0f} s {1} the controller's. Nothing was saved, because the snapshot would {2}. Compare "
    "both clocks with timedatectl, correct the wrong one, and make the backup again."
)
_BEHIND = "the host's clock is {0:.0f} s behind the controller's, and so is the time of this snapshot: correct it"
