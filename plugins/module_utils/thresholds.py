# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thresholds: Nagios ranges (Monitoring Plugins guidelines, "Threshold and Ranges") with units on their bounds.

    10     fine from 0 to 10           10:20   fine from 10 to 20
    10:    fine from 10 upwards        @10:20  fine outside 10 to 20
    ~:10   fine up to 10, also below 0
"""

from __future__ import annotations

import re

INFINITY = float("inf")


class BadValueError(ValueError):
    """What a person wrote does not fit; the text says what would."""


# Sizes: one letter alone means powers of 1024, as in `df -h` and systemd; kB, MB, ... are powers of 1000.
SIZES = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGTP", start=1):
    SIZES[_letter] = SIZES[_letter + "iB"] = 1024**_power
    SIZES[_letter + "B"] = 1000**_power
SIZES["k"], SIZES["kB"] = SIZES["K"], SIZES["KB"]

DURATIONS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}

# Bytes count in rates as well: 10MB/s.
PERIODS = {"/s": 1, "/min": 60, "/h": 3600}
RATES = {"": 1}
for _period, _seconds in PERIODS.items():
    RATES.update((_size + _period, _factor / _seconds) for _size, _factor in SIZES.items() if _size[-1:] in ("", "B"))

# What a threshold may measure: dimension -> {unit of the result: factors of the suffixes}.
DIMENSIONS = {
    "count": {"": {"": 1}},
    "percent": {"%": {"": 1, "%": 1}},
    "duration": {"s": DURATIONS},
    "rate": {"/s": RATES},
    "size": {"B": {key: value for key, value in SIZES.items() if key}},
    "space": {"%": {"%": 1}, "B": {key: value for key, value in SIZES.items() if key}},
}
EXAMPLES = {
    "count": "10, 10: or 10:20",
    "percent": "80%",
    "duration": "30s, 5min, 2h or 7d",
    "rate": "10/s, 5/min or 1/h",
    "size": "500M or 10GiB",
    "space": "80%, 500M or 10GiB",
}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)$")
_BOUND = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*([A-Za-z%/]*)$")


class Threshold:
    """A range that a value must stay in (or, with @, out of); bounds are in `unit`, a base unit: %, s, B, /s or ''."""

    __slots__ = ("high", "inside", "low", "text", "unit")

    def __init__(self, text, low, high, inside, unit):
        self.text = text
        self.low = low
        self.high = high
        self.inside = inside
        self.unit = unit

    @classmethod
    def parse(cls, text, dimension, floor=False):
        """The threshold that `text` means for a dimension of DIMENSIONS.

        A single number is the greatest value that is fine or, with `floor`, the least. Raises BadValueError.
        """
        text = _text(text, dimension)
        inside = text.startswith("@")
        low_text, colon, high_text = text.lstrip("@").partition(":")
        if not colon:
            low_text, high_text = (low_text, "") if floor else ("0", low_text)
        low_text, high_text = low_text.strip() or "0", high_text.strip()
        bounds = [
            (-INFINITY, None) if low_text == "~" else _bound(low_text, dimension, text),
            _bound(high_text, dimension, text) if high_text else (INFINITY, None),
        ]
        units = {unit for value, unit in bounds if unit is not None and value != 0}
        if len(units) > 1:
            raise BadValueError('"%s" mixes percent and sizes; use one of them for both bounds' % text)
        low, high = bounds[0][0], bounds[1][0]
        if low > high:
            raise BadValueError('"%s" starts above its end; write the smaller bound first' % text)
        known = units or {unit for _value, unit in bounds if unit is not None}
        unit = next(iter(known), next(iter(DIMENSIONS[dimension])))
        return cls(text, low, high, inside, unit)

    def violated(self, value):
        """Whether `value`, in the base unit, is a reason to alert."""
        return (self.low <= value <= self.high) == self.inside

    def perfdata(self):
        """The range in base units, as Nagios performance data wants it."""
        low = "~" if self.low == -INFINITY else number(self.low)
        high = "" if self.high == INFINITY else number(self.high)
        text = high if self.low == 0 and high else low + ":" + high
        return "@" + text if self.inside else text


def number(value):
    """`value` in the shortest plain decimal notation, without an exponent."""
    value = round(float(value), 6)
    return ("%d" % value) if value == int(value) else ("%.6f" % value).rstrip("0")


def size_bytes(text):
    """Bytes of a size such as 500M or 10GiB, or None when it is none."""
    match = _SIZE.match(text) if isinstance(text, str) else None
    return int(float(match.group(1)) * SIZES[match.group(2)]) if match and match.group(2) in SIZES else None


def _text(text, dimension):
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise BadValueError("%r is not a threshold; write for example %s" % (text, EXAMPLES[dimension]))
    text = str(text).strip()
    if not text.lstrip("@").strip():
        raise BadValueError("it is empty; write for example %s, or null for no threshold" % EXAMPLES[dimension])
    return text


def _bound(part, dimension, text):
    """(value in the base unit, base unit). Zero needs no unit."""
    match = _BOUND.match(part)
    if not match:
        raise BadValueError('"%s" is not a range of the form 10, 10:, ~:10, 10:20 or @10:20' % text)
    value, suffix = float(match.group(1)), match.group(2)
    for unit, factors in DIMENSIONS[dimension].items():
        if suffix in factors or (value == 0 and not suffix):
            value *= factors.get(suffix, 1)
            if unit == "%" and value > 100:
                raise BadValueError('"%s" is above 100%% (in YAML, put quotes around ranges such as "10:20")' % text)
            return value, unit
    raise BadValueError('"%s": %s; write for example %s' % (text, _unit_problem(suffix), EXAMPLES[dimension]))


def _unit_problem(suffix):
    return 'the unit "%s" does not fit here' % suffix if suffix else "the unit is missing"
