# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How often a source wants its backups, verifications and drills, and whether one is due."""

from __future__ import annotations

import calendar
import re
import time

KEYS = ("every", "verify_every", "prove")
WORDS = {"hourly": 3600, "daily": 86400, "weekly": 604800, "monthly": 2592000}
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)\s*({0})".format("|".join(_UNITS)))
# What runs daily at the same hour is some minutes early on every other day.
EARLY = 0.1


def interval_s(text):
    """Seconds of `6h`, `7d`, `weekly`; None when it is no such thing."""
    if not isinstance(text, str):
        return None
    match = _DURATION.fullmatch(text.strip())
    return WORDS.get(text.strip()) or (int(match.group(1)) * _UNITS[match.group(2)] if match else None)


def faults(spec):
    """What is wrong with the intervals of a definition, as a list of str."""
    text = "{0} must be a duration such as 6h or 7d, or one of {1}, not {2!r}"
    wrong = [key for key in KEYS if spec.get(key) is not None and not interval_s(spec[key])]
    return [text.format(key, ", ".join(WORDS), spec[key]) for key in wrong]


def due_at(newest, every):
    """When the next backup is due (seconds since 1970) after one at `newest` (RFC 3339, UTC)."""
    made = calendar.timegm(time.strptime(newest[:19], "%Y-%m-%dT%H:%M:%S"))
    return made + interval_s(every) * (1 - EARLY)
