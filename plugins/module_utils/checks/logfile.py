# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines of log files that match an expression, since the last round."""

from __future__ import annotations

import codecs

from ..apart import bad_expressions
from ..family import family, finding, judge, key, limits, perf, threshold
from ..log_reader import KEYS, look, since
from ..redaction import quoted


def run(spec, context):
    request = {name: spec[name] for name in ("regex", "ignore", "encoding")}
    sums, seconds, notes = look(spec, context, dict(request, count="matches"))
    found, thresholds = sums["found"], (spec["warn"], spec["crit"])
    status = judge(found, *thresholds)
    counted = "%d line%s of %s match%s" % (found, "s" * (found != 1), spec["path"], "es" * (found == 1))
    words = ["%s %s%s%s" % (counted, spec["regex"], since(seconds), limits(status, *thresholds)), *notes]
    if found and spec["quote"]:
        words.append("the last: %s" % quoted(sums["last"]))
    data = [perf("lines", found, "", thresholds, (0,))]
    if seconds:
        data.append(perf("lines per minute", found * 60 / seconds, "", bounds=(0,)))
    return finding(status, "; ".join(words), found, "", " ".join(data))


def judge_spec(spec):
    faults = bad_expressions(spec, "regex", "ignore")
    try:
        if codecs.encode("a\n", spec["encoding"]) != b"a\n":
            faults.append("encoding %s does not end lines with a plain newline; convert the log" % spec["encoding"])
    except (LookupError, TypeError, ValueError):
        faults.append("encoding %s is unknown" % spec["encoding"])
    return faults


FAMILY = family(
    "logfile",
    "errors",
    "lines of a log that match an expression, since the last round",
    dict(
        KEYS,
        regex=key("str", "regular expression (of Python) that the lines match", required=True),
        ignore=key("str", "regular expression of lines that do not count"),
        encoding=key("str", "character encoding of the log; what does not fit it is replaced", "utf-8"),
        quote=key("bool", "quote the last line in the message, shortened", True),
        warn=threshold("count", "matching lines", "0"),
        crit=threshold("count", "matching lines"),
    ),
    run,
    target=lambda spec: spec["path"],
    judge_spec=judge_spec,
)
