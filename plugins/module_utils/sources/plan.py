# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a definition promises besides what it saves: how often, how well proven, under which tags."""

from __future__ import annotations

import re

from ..engines.base import COMPLETE, INCOMPLETE, SAFETY, TAG

# Objectives: the key of a definition and its name in records.
_SPANS = {"every": "every_s", "verify_every": "verify_every_s", "prove": "prove_s"}
_UNITS_S = {"min": 60, "h": 3600, "d": 86400, "w": 604800}
_WORDS_S = {"hourly": 3600, "daily": 86400, "weekly": 604800, "monthly": 2678400}
_SPAN = re.compile(r"([1-9]\d{0,4})\s*(min|h|d|w)")
# Without `=` and `,`: the first marks Roundsman's own tags, the second separates restic's.
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_OWN = (TAG, COMPLETE, INCOMPLETE, SAFETY)


def seconds(text):
    """A span such as `6h` or `weekly` in seconds; None when it is none."""
    if not isinstance(text, str):
        return None
    match = _SPAN.fullmatch(text.strip())
    return int(match.group(1)) * _UNITS_S[match.group(2)] if match else _WORDS_S.get(text.strip())


def faults(spec):
    """What is wrong with the plan of a definition."""
    text = "{0} must be a span such as 30min, 6h, 1d or 2w, or hourly, daily, weekly or monthly, not {1!r}"
    found = [text.format(key, spec[key]) for key in _SPANS if key in spec and seconds(spec[key]) is None]
    tags = spec.get("tags", [])
    if not isinstance(tags, list):
        return [*found, "tags must be a list, not {0!r}".format(tags)]
    text = "tags: {0!r} must be 1 to 64 of A-Z a-z 0-9 . _ : / - and none of {1}"
    return found + [
        text.format(tag, ", ".join(_OWN))
        for tag in tags
        if not isinstance(tag, str) or not _TAG.fullmatch(tag) or tag in _OWN
    ]


def plan_of(spec):
    """The plan of a sound definition, as docs/records.md has it."""
    plan = {name: seconds(spec.get(key)) for key, name in _SPANS.items()}
    return dict(plan, retention=bool(spec.get("retention")))


def own_tags(tags):
    """Of all tags of a snapshot those that its definition gave it."""
    return [tag for tag in tags if "=" not in tag and tag not in _OWN]
