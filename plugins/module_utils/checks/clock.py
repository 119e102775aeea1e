# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The clock: whether something keeps it right, and how far it is from the controller's.

The host cannot know the controller's time, so the action plugin concludes the check, with the times at which each of
the two sent and received.
"""

from __future__ import annotations

import ctypes
import os

from ..family import GRADES, OK, family, finding, grade, judge, limits, perf, span, threshold, worst

STA_UNSYNC = 0x0040  # adjtimex(2)


class Timex(ctypes.Structure):
    """The head of struct timex, up to the status; the rest is room that the kernel may write to."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


def is_synchronised():
    """Whether the kernel knows of somebody who keeps the clock right; OSError when it does not tell."""
    state = Timex()
    library = ctypes.CDLL(None, use_errno=True)
    if library.adjtimex(ctypes.byref(state)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return not state.status & STA_UNSYNC


def run(spec, context):
    del context
    try:
        kept = is_synchronised()
    except (OSError, AttributeError):  # seccomp forbids it, or another libc lacks it
        return finding(OK, "the kernel does not tell whether it is synchronised", unit="s")
    if kept:
        return finding(OK, "synchronised", unit="s")
    return finding(GRADES[spec["unsynchronised"]], "nothing synchronises it", unit="s")


def offset_range(sent, received, answered, back):
    """(least, greatest) s by which the host's clock can be ahead of the controller's.

    `sent` and `back` are the controller's times before and after the exchange, `received` and `answered` the host's
    within it. A slow way makes the range wide, never wrong (the bounds of RFC 5905's clock filter).
    """
    return answered - back, received - sent


def conclude(spec, result, exchange):
    """What the controller adds to a result of `run`: the fields that change."""
    least, greatest = offset_range(*exchange)
    surely = max(0.0, least, -greatest)
    thresholds = spec["warn"], spec["crit"]
    status = judge(surely, *thresholds)
    if surely:
        near, far = sorted((abs(least), abs(greatest)))
        side = "ahead of" if least > 0 else "behind"
        words = "%s to %s %s the controller's" % (span(near), span(far), side)
    else:
        words = "agrees with the controller's within %s" % span(max(-least, greatest))
    return {
        "status": worst([result["status"], status]),
        "value": round(surely, 4),
        "message": "clock %s%s; %s" % (words, limits(status, *thresholds), result["message"]),
        "perfdata": perf("offset", surely, "s", thresholds, (0,)),
    }


FAMILY = family(
    "clock",
    "resources",
    "how far the clock is surely off the controller's, and whether something synchronises it",
    {
        "warn": threshold("duration", "offset to the controller's clock", "1s"),
        "crit": threshold("duration", "offset to the controller's clock", "30s"),
        "unsynchronised": grade("what a clock that nothing synchronises is"),
    },
    run,
)
