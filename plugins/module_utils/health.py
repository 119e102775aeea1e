# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sweep: all checks of one host at once, each within its time limit, each with a result."""

from __future__ import annotations

import json
import math
import queue
import threading
import time

from . import psutil_copy
from .family import UNKNOWN, CannotLookError, Context, NotThereError, finding, worst
from .specs import read

LONGEST_MESSAGE = 1000
LONGEST_PERFDATA = 20000
LONGEST_DETAILS = 20000

ARGUMENT_SPEC = {
    "checks": {"type": "list", "elements": "dict"},
    "timeout_s": {"type": "float", "default": 10.0},
    "psutil": {"type": "str", "choices": ["carry", "host"], "default": "carry"},
    "bookmarks": {"type": "dict", "default": {}},
}


def prepare(parameters):
    """(specs, faults) of the module's parameters; only without faults may the specs be swept."""
    limit_s = parameters["timeout_s"]
    if not 0 < limit_s <= 3600:
        return [], ["timeout_s has to be above 0 and at most 3600, not %s" % limit_s]
    if parameters["checks"] is None:
        return [], ["checks are missing; only the action plugin of this module finds those of the inventory"]
    return read(parameters["checks"], limit_s)


def sweep(specs, parameters, offer=None, archive=None):
    """What the module returns for good specs, or {send_psutil: True} when the controller should send its copy first.

    `parameters` are the module's; `offer` and `archive` those of psutil_copy.load.
    """
    received = time.time()
    found = psutil_copy.NOT_NEEDED
    if any(spec.family.needs_psutil for spec in specs):
        found = psutil_copy.load(parameters["psutil"], offer, archive)
    if found.wanted:
        return {"send_psutil": True}
    results, bookmarks = run_all(specs, found.library, found.state, parameters["bookmarks"])
    return {
        "checks": results,
        "worst": worst([result["status"] for result in results]),
        "psutil": found.state,
        "bookmarks": bookmarks,
        "clock": {"received": received, "answered": time.time()},
    }


def run_all(specs, psutil, psutil_state, bookmarks=None):
    """(results, bookmarks): one result per spec, in their order, but none where an optional thing is not there.

    A check without an answer at its limit is left behind, never waited for. `bookmarks` are what checks left, by id.
    """
    answers, contexts, started = queue.Queue(), {}, time.monotonic()
    for spec in specs:
        contexts[spec.id] = Context(spec.limit_s, psutil, (bookmarks or {}).get(spec.id))
        thread = threading.Thread(target=_answer, args=(spec, contexts[spec.id], psutil_state, answers), daemon=True)
        thread.start()
    results, left = {}, {}
    for spec in sorted(specs, key=lambda each: each.limit_s):
        while spec.id not in results:
            try:
                name, result, bookmark = answers.get(timeout=max(0.0, started + spec.limit_s - time.monotonic()))
            except queue.Empty:
                results[spec.id] = _silence(spec)
                break
            results[name] = result
            if bookmark is not None:
                left[name] = bookmark
    for context in contexts.values():
        context.end()
    return [results[spec.id] for spec in specs if results[spec.id] is not None], left


def _answer(spec, context, psutil_state, answers):
    started = time.monotonic()
    try:
        if spec.family.needs_psutil and context.psutil is None:
            result = _unknown(spec, "psutil is not there (%s)" % psutil_state, psutil_copy.REMEDY)
        else:
            result = _result(spec, spec.family.run(spec.keys, context))
    except NotThereError as error:
        result = None if spec.keys["optional"] else _unknown(spec, error, error.remedy)
    except CannotLookError as error:
        result = _unknown(spec, error, error.remedy)
    except Exception as error:  # noqa: BLE001 - whatever breaks in one check is that check's result
        result = _unknown(spec, "the check broke: %s: %s" % (type(error).__name__, error))
    if result is not None:
        result["duration_s"] = round(time.monotonic() - started, 4)
    answers.put((spec.id, result, context.left))


def _silence(spec):
    remedy = "see what it waits for on the host, or give it a longer timeout"
    result = _unknown(spec, "no answer within %g s" % spec.limit_s, remedy)
    result["duration_s"] = spec.limit_s
    return result


def _unknown(spec, message, remedy=None):
    return _result(spec, finding(UNKNOWN, message), remedy)


def _result(spec, found, remedy=None):
    """A check result as docs/records.md has it: plain JSON types, valid UTF-8, bounded."""
    warn, crit = spec.keys.get("warn"), spec.keys.get("crit")
    runbook = spec.keys["runbook_url"]
    return {
        "id": clean(spec.id),
        "type": spec.type,
        "area": spec.family.area,
        "target": clean(spec.target),
        "status": found.status,
        "value": found.value if found.value is not None and math.isfinite(found.value) else None,
        "unit": found.unit,
        "warn": clean(warn.text) if warn else None,
        "crit": clean(crit.text) if crit else None,
        "message": clean(found.message)[:LONGEST_MESSAGE],
        "remedy": clean(remedy) if remedy else None,
        "perfdata": clean(found.perfdata)[:LONGEST_PERFDATA],
        "details": found.details if len(json.dumps(found.details)) <= LONGEST_DETAILS else {},
        "attempts": spec.keys["attempts"],
        "recovery_s": spec.keys["recovery"] or 0.0,
        "duration_s": 0.0,
        **({"runbook_url": runbook} if runbook else {}),
    }


def clean(text):
    """One line of valid Unicode: what is no character, or ends a line, becomes a space or a question mark."""
    text = " ".join(str(text).split())
    return text.encode("utf-8", "replace").decode("utf-8")
