# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packages that are half done: finished, put back, or accounted for."""

from __future__ import annotations

from .apt_words import failures, last_words
from .base import ProcedureError
from .transaction import OPEN, continued, done, remaining

_MOST_NAMED = 8


def named(packages):
    """Some of the names, and how many there are besides."""
    more = len(packages) - _MOST_NAMED
    return ", ".join(packages[:_MOST_NAMED]) + (" and {0} more".format(more) if more > 0 else "")


def counted(packages):
    return "{0} package{1} ({2})".format(len(packages), "" if len(packages) == 1 else "s", named(packages))


def states(broken):
    return ", ".join("{0} is {1}".format(name, state) for name, state in sorted(broken.items()))


def mend(step, manager, kept):
    """Repair what an earlier transaction, ours or another's, left half done. Raises ProcedureError(packages_broken)."""
    broken = manager.broken()
    if not broken:
        return
    if step.check_mode:
        step.plan("repair", named(sorted(broken)), detail=states(broken))
        return
    earlier = kept.load()
    if earlier["state"] in OPEN:
        recover(step, manager, kept, earlier, "")
        return
    said = _repair(step, manager, broken)
    _require_whole(manager.broken(), said)


def recover(step, manager, kept, transaction, said):
    """After a transaction that failed or died: finish what is half done, put back what cannot be; True if it was that.

    Raises ProcedureError(packages_broken) when something stays broken that the transaction knows nothing of.
    """
    broken = manager.broken()
    if broken:
        said += _repair(step, manager, broken)
    broken = manager.broken()
    changes = {one["package"]: one for one in transaction["changes"]}
    _require_whole({name: state for name, state in broken.items() if name not in changes}, said)
    undone = {one["package"] for one in remaining(transaction["changes"], manager.versions())} | set(broken)
    reasons = {name: why for name, why in failures(said).items() if name in undone and "dependency problems" not in why}
    if not reasons:
        _require_whole(broken, said)
        return False
    if broken:
        put_back(step, manager, [changes[name] for name in broken])
    kept.refuse({name: {"version": changes[name]["to"], "why": why} for name, why in reasons.items()})
    for name, why in reasons.items():
        step.warn(_REFUSED.format(name, changes[name]["to"], why, changes[name]["from"] or "no version"))
    _plan_rest(manager, kept, transaction)
    return True


def put_back(step, manager, changes):
    """Install what was there before these changes. Raises ProcedureError(rollback_impossible)."""
    back = ["{package} {from}".format(**one) if one["from"] else one["package"] + " removed" for one in changes]
    with step.action("put back", named([one["package"] for one in changes]), detail=", ".join(back)):
        code, said = manager.put_back(changes)
        manager.mark(changes)
        broken, now = manager.broken(), manager.versions()
        other = {one["package"] for one in changes if now.get(one["package"]) != one["from"]}
        if code or broken or other:
            names, half = named(sorted(other | set(broken))), states(broken) or "nothing is half done"
            raise ProcedureError("rollback_impossible", _NOT_BACK.format(names, half, last_words(said)))


def _repair(step, manager, broken):
    with step.action("repair", named(sorted(broken)), detail=states(broken)):
        return manager.repair()


def _require_whole(broken, said):
    if broken:
        reasons = ["{0}: {1}".format(name, why) for name, why in sorted(failures(said).items())]
        raise ProcedureError("packages_broken", _BROKEN.format(states(broken), "; ".join(reasons) or last_words(said)))


def _plan_rest(manager, kept, transaction):
    """What of the transaction is left to do without what was refused."""
    refused = {name: one["version"] for name, one in kept.refused().items()}
    rest, now = manager.plan(refused)["changes"], manager.versions()
    files = {(one["package"], one["from"]): one.get("kept") for one in transaction["changes"]}
    for one in rest:
        one["kept"] = files.get((one["package"], one["from"]))
    kept.keep(transaction, changes=continued(done(transaction["changes"], now), rest, now))


_BROKEN = (
    "{0}, and could not be repaired: {1}. No further package was changed. Repair it by hand with `dpkg --configure -a` "
    "and `apt-get -f install`, then run this again."
)
_REFUSED = (
    "{0} {1} cannot be installed: {2}. It was put back to {3}, and this version is not tried again; to try it once "
    "more, set roundsman_updates_retry=true"
)
_NOT_BACK = "{0} could not be put back: {1}; {2}. See `dpkg --audit` and `apt-cache policy`."
