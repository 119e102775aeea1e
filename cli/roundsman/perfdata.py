"""Nagios performance data: `'label'=value[UOM];warn;crit;min;max`, as our checks and everybody's plugins write it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# Bounded, so that hostile text is read in linear time.
_ITEM = re.compile(r"(?:'((?:[^']|''){1,200})'|([^'=\s][^=\s]{0,199}))=(\S+)")
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([^\d]{0,16})$")


@dataclass(frozen=True)
class Item:
    """One measurement. Thresholds are Nagios ranges as written, bounds as written; what is missing is empty."""

    label: str
    value: float
    unit: str
    warn: str = ""
    crit: str = ""
    low: str = ""
    high: str = ""


def parse(text: str) -> list[Item]:
    """Every item that has a number. What a plugin garbles, or does not know (`U`), is passed over."""
    items: dict[str, Item] = {}
    for quoted, plain, fields in _ITEM.findall(text):
        value, *rest = fields.split(";")
        if (number := _NUMBER.match(value)) and math.isfinite(float(number[1])):
            label = quoted.replace("''", "'") or plain
            # A label that comes twice would be two values of one thing at one time.
            items.setdefault(label, Item(label, float(number[1]), number[2], *rest[:4]))
    return list(items.values())
