# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What came of a procedure on a host, put together from its parts. No effects."""

from __future__ import annotations

from ..module_utils.family import CRITICAL, OK, UNKNOWN, WARNING

PHASES = ("pre-check", "backup", "execute", "verify")
ROLLBACKS = ("done", "failed", "none")
RANK = {OK: 0, WARNING: 1, UNKNOWN: 2, CRITICAL: 3}
# What these actions bring to a host changes nothing that serves there.
PREPARING = {"fetch", "download"}
# A healthy answer may take this much longer than before, and needs this many seconds more to be worth a word.
SLOWER_FACTOR, SLOWER_LEAST_S = 3.0, 0.5


def regressions(after, before, ignored=()):
    """What is worse in the check results `after` than in those `before`: a list of {check, before, after, message}.

    What was amiss before is no regression as long as it is not worse. `ignored` are ids and types of checks.
    """
    known = {check["id"]: check for check in before}
    found = []
    for check in after:
        was = known.get(check["id"])
        if not {check["id"], check["type"]}.intersection(ignored) and _is_worse(was, check):
            found.append(
                {
                    "check": check["id"],
                    "before": was["status"] if was else None,
                    "after": check["status"],
                    "message": check["message"] if check["status"] != OK else _slower(was, check),
                }
            )
    return found


def _is_worse(was, check):
    if was is None:
        return check["status"] != OK
    if RANK[check["status"]] != RANK[was["status"]]:
        return RANK[check["status"]] > RANK[was["status"]]
    return check["status"] == OK and check["type"] == "http" and _is_slower(was["value"], check["value"])


def _is_slower(was_s, now_s):
    """Whether an HTTP answer that is still within its thresholds takes much longer than before."""
    if was_s is None or now_s is None:
        return False
    return now_s > was_s * SLOWER_FACTOR and now_s - was_s > SLOWER_LEAST_S


def _slower(was, check):
    return "answers in {0:.2f} s, before in {1:.2f} s".format(check["value"], was["value"])


def summed_up(parts):
    """The record of docs/records.md: `parts` are what the module maintenance_result documents, with `records`."""
    records, worse = parts["records"], parts["regressions"]
    if is_untouched(parts):
        parts = dict(parts, rollback="none")
    reclaimed = [one["reclaimed_bytes"] for one in records if one["reclaimed_bytes"] is not None]
    failure = parts["failure"]
    return {
        "procedure": parts["procedure"],
        "status": _status(parts),
        "phase": parts["phase"],
        "reason": failure.get("reason") if failure else None,
        "message": _message(parts),
        "lease": parts["lease"],
        "actions": [action for one in records for action in one["actions"]],
        "before": _merged(records, "before"),
        "after": _merged(records, "after"),
        "reclaimed_bytes": sum(reclaimed) if reclaimed else None,
        "warnings": [*(warning for one in records for warning in one["warnings"]), *parts["warnings"]],
        "backup": parts["backup"],
        "verification": {"checks": len(parts["after"]), "regressions": worse} if parts["after"] else None,
        "rollback": parts["rollback"],
        "previous": parts["previous"],
        "duration_s": parts["duration_s"],
    }


def _merged(records, key):
    """The figures of all steps; of one that several steps measured, the first before and the last after."""
    merged = {}
    for one in reversed(records) if key == "before" else records:
        merged.update(one[key])
    return merged


def is_untouched(parts):
    """Whether it failed at a step of our own before its first change: then there was nothing to roll back."""
    begun = {action["action"] for one in parts["records"] for action in one["actions"]}
    return bool(parts["failure"] and parts["failure"].get("step")) and begun <= PREPARING


def _status(parts):
    if parts["failure"] is None:
        warned = parts["warnings"] or any(one["warnings"] for one in parts["records"])
        return "completed-with-warnings" if warned else "completed"
    if parts["phase"] == "pre-check":
        return "skipped"
    return "rolled-back" if parts["rollback"] == "done" else "failed"


def _message(parts):
    failure, procedure, host = parts["failure"], parts["procedure"], parts["host"]
    if failure is None:
        said = [one["message"] for one in parts["records"] if one["message"]]
        return "{0} of {1}: {2}".format(procedure, host, "; ".join(said) or "done")
    worse = ", ".join("{check} is {after}: {message}".format(**one) for one in parts["regressions"])
    why = "worse than before: " + worse if worse else failure["msg"].rstrip(".")
    what = {
        "pre-check": "skipped, nothing was done",
        "backup": "not begun, for what it touches could not be saved",
        "execute": "failed",
        "verify": "done, but verification failed",
    }[parts["phase"]]
    undone = {
        "done": ". It was rolled back, and the host is as before",
        "failed": ". THE ROLLBACK FAILED, TOO: the host is neither as before nor as it should be",
        "none": ". Nothing was rolled back; the actions say what was done",
        None: "",
    }[parts["rollback"]]
    if is_untouched(parts):
        undone = ". Nothing was changed"
    return "{0} of {1} {2}: {3}{4}".format(procedure, host, what, why.rstrip(".") if undone else why, undone)
