# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a JSON document has to hold, by paths: `status.db`, `items[0].name`, `["a name with a dot"].x`. Pure."""

from __future__ import annotations

import json
import math
import re

from .family import CRITICAL, OK, judge, limits, perf, worst
from .thresholds import BadValueError, Threshold

_STEP = re.compile(r"""\[(-?\d+)\]|\["([^"]*)"\]|\.?([^.\[\]"]+)""")
_LONGEST_VALUE = 100


class NoSuchPathError(LookupError):
    """The path leads nowhere."""


def steps(path):
    """The names (str) and positions (int) that a path consists of; BadValueError when it is none."""
    found, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        if not match:
            raise BadValueError("is not a path such as status.db or items[0].name")
        position, quoted, name = match.groups()
        found.append(int(position) if position is not None else quoted if quoted is not None else name)
        at = match.end()
    return found


def at_path(document, path):
    """What lies at a path of a document."""
    for step in steps(path):
        if not isinstance(document, list if isinstance(step, int) else dict):
            raise NoSuchPathError
        try:
            document = document[step]
        except LookupError:
            raise NoSuchPathError from None
    return document


def plain(value):
    """A JSON value as a person writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def thresholds_of(expected):
    """(warn, crit) that a mapping holds; BadValueError."""
    if not expected or set(expected) - {"warn", "crit"}:
        raise BadValueError("takes a value, or a mapping of warn and crit")
    return [None if expected.get(n) is None else Threshold.parse(expected[n], "count") for n in ("warn", "crit")]


def bad_values(values):
    """What is wrong with a mapping of paths to what is expected there."""
    faults = []
    for path, expected in values.items():
        try:
            steps(path)
            if isinstance(expected, dict):
                thresholds_of(expected)
        except BadValueError as error:
            faults.append("json: %s %s" % (path, error))
    return faults


def judge_json(values, text):
    """(status, faults, perfdata) of a text that has to be JSON with these values by path."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return CRITICAL, ["the answer is not JSON"], []
    judged = [_judge_value(document, path, expected) for path, expected in values.items()]
    statuses, faults, data = zip(*judged)
    return worst(statuses), [fault for fault in faults if fault], [item for item in data if item]


def _judge_value(document, path, expected):
    """(status, fault or None, perfdata or None) of what lies at one path."""
    try:
        value = at_path(document, path)
    except NoSuchPathError:
        return CRITICAL, "there is no %s in the answer" % path, None
    shown = plain(value)[:_LONGEST_VALUE]
    if not isinstance(expected, dict):
        if plain(value) == plain(expected):
            return OK, None, None
        return CRITICAL, "%s is %s, expected %s" % (path, shown, plain(expected)), None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return CRITICAL, "%s is %s, not a number" % (path, shown), None
    thresholds = thresholds_of(expected)
    status = judge(value, *thresholds)
    fault = None if status == OK else "%s is %s%s" % (path, shown, limits(status, *thresholds))
    return status, fault, perf(path, value, "", thresholds) if _is_finite(value) else None


def _is_finite(value):
    """Whether a number can be written as performance data; JSON holds Infinity, 1e999 and numbers of any length."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
