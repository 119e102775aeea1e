# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text format of Prometheus metrics, as far as finding the samples of one metric needs it. Pure."""

from __future__ import annotations

import fnmatch
import math
import re

from .family import NotThereError

_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}
AGGREGATES = {"sum": math.fsum, "min": min, "max": max}


def values(body, metric, labels):
    """The numbers of the samples of `metric` whose labels match the patterns in `labels`; NaN left out."""
    found = []
    for line in body.decode("utf-8", "replace").splitlines():
        match = _SAMPLE.match(line) if line.startswith(metric) else None
        if match and match.group(1) == metric and _fits(match.group(2) or "", labels):
            try:
                number = float(match.group(3))
            except ValueError:
                continue
            found += [] if math.isnan(number) else [number]
    return found


def value(body, metric, labels, aggregate="sum"):
    """(one number, how many samples it is made of); NotThereError when there is none."""
    found = values(body, metric, labels)
    if not found:
        where = "".join(' %s="%s"' % pair for pair in sorted(labels.items()))
        raise NotThereError("there is no sample of %s%s" % (metric, where), "correct metric or labels")
    return AGGREGATES[aggregate](found), len(found)


def _fits(text, labels):
    there = {
        name: re.sub(r"\\(.)", lambda hit: _ESCAPES.get(hit.group(1), hit.group(0)), raw)
        for name, raw in _LABEL.findall(text)
    }
    return all(fnmatch.fnmatchcase(there.get(name, ""), pattern) for name, pattern in labels.items())
