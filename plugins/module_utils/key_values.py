# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a person wrote for one key of a check to its value. Pure."""

from __future__ import annotations

import re
import shlex

from .thresholds import BadValueError, Threshold


def value_of(raw, each):
    """The value of a key; BadValueError says what is wrong with it. None stays None: no value, no threshold."""
    if raw is None:
        return [] if each.type == "list" else None
    if each.type == "threshold":
        return Threshold.parse(raw, each.dimension, each.floor)
    value = CONVERSIONS[each.type](raw)
    if each.choices and value not in each.choices:
        raise BadValueError('"%s" is not one of %s' % (raw, ", ".join(str(choice) for choice in each.choices)))
    return value


def _string(raw):
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise BadValueError("it is %s, not text" % kind_of(raw))
    return str(raw).strip() or None


def _path(raw):
    text = _string(raw)
    if text is not None and not text.startswith("/"):
        raise BadValueError('"%s" is not an absolute path' % text)
    return text


def _bool(raw):
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if str(raw).lower() not in words:
        raise BadValueError('"%s" is not true or false' % (raw,))
    return words[str(raw).lower()]


def _int(raw):
    if isinstance(raw, bool) or not re.fullmatch(r"[-+]?\d+", str(raw)):
        raise BadValueError('"%s" is not a whole number' % (raw,))
    return int(raw)


def _port(raw):
    number = _int(raw)
    if not 0 < number < 65536:
        raise BadValueError("%d is not a port from 1 to 65535" % number)
    return number


def _seconds(raw):
    limit = Threshold.parse(raw, "duration")
    if limit.low != 0 or not 0 < limit.high <= 3600 or limit.inside:
        raise BadValueError('"%s" is not a duration from 1ms to 1h' % (raw,))
    return limit.high


def _size(raw):
    limit = Threshold.parse(raw, "space")
    if limit.low != 0 or limit.inside or limit.high == float("inf") or (limit.unit == "%" and limit.high):
        raise BadValueError('"%s" is not a size such as 500k or 1MiB' % (raw,))
    return int(limit.high)


def _list(raw):
    items = list(raw) if isinstance(raw, (list, tuple)) else [raw]
    return [text for text in (_string(item) for item in items) if text is not None]


def _command(raw):
    """A program and its arguments; text is taken apart as a shell does, and no shell sees it."""
    if isinstance(raw, (list, tuple)):
        return [str(item) if _string(item) is not None else "" for item in raw]
    try:
        return shlex.split(_string(raw) or "")
    except ValueError as error:
        raise BadValueError("its quotes do not match (%s)" % error) from error


def _dict(raw):
    if not isinstance(raw, dict):
        raise BadValueError("it is %s, not a mapping" % kind_of(raw))
    return {_string(name): _string(value) or "" for name, value in raw.items()}


def _values(raw):
    if not isinstance(raw, dict):
        raise BadValueError("it is %s, not a mapping" % kind_of(raw))
    strange = [name for name, value in raw.items() if isinstance(value, (list, tuple))]
    if strange:
        raise BadValueError("%s is a list, not one value" % strange[0])
    return {str(name): value for name, value in raw.items()}


CONVERSIONS = {
    "str": _string,
    "path": _path,
    "bool": _bool,
    "int": _int,
    "port": _port,
    "seconds": _seconds,
    "size": _size,
    "list": _list,
    "command": _command,
    "dict": _dict,
    "values": _values,
}


def kind_of(value):
    names = {list: "a list", dict: "a mapping", bool: "true or false", str: "text", type(None): "nothing"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a number")
