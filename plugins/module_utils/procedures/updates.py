# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of updating packages. What a package manager does is asked of it (apt, dnf)."""

from __future__ import annotations

import time

from . import rebooting, restarting
from .apt_words import last_words, versions
from .base import ProcedureError
from .mending import counted, mend, named, put_back, recover, states
from .telling import tell_of_rest, tell_plan, verb
from .transaction import NOTHING, OPEN, continued, done, remaining, worse

# A transaction that dpkg was killed in goes through the second time; what fails three times fails for a reason.
MOST_ATTEMPTS = 3


def prepare(step, manager, kept):
    """Finish what was interrupted, plan, make sure of room, fetch. Nothing new is installed."""
    manager.wait()
    mend(step, manager, kept)
    if step.module.params["retry"] and not step.check_mode:
        kept.forgive()
    if step.module.params["refresh"]:
        manager.refresh()
    plan = _planned(step, manager, kept)
    said = tell_of_rest(step, plan["left"], kept)
    changes = plan["changes"]
    packages = [one["package"] for one in changes]
    units, reasons = restarting.due(step)[0], rebooting.reasons(step)
    will_reboot = step.module.params["reboot"] and rebooting.may_help(reasons, kept.in_vain(rebooting.boot()))
    drains = step.module.params["drain"] and bool(changes or units or will_reboot)
    step.record["before"] = {
        _pending(step): len(changes),
        "outdated_services": len(units),
        "reboot_required": int(bool(reasons)),
        "drains": int(drains),
    }
    if step.check_mode:
        tell_plan(step, changes, units, reasons if will_reboot else [], drains)
        return "; ".join(["would update " + counted(packages) if changes else "nothing to update", *said])
    earlier = kept.load()
    if changes:
        _fetch(step, manager, changes, forget=earlier["state"] not in OPEN)
    return "; ".join([*_take_on(step, manager, kept, earlier, changes), *said])


def install(step, manager, kept):
    """Do the transaction that was prepared; a package that fails is put back, and the others go on."""
    transaction = kept.load()
    if transaction["state"] not in ("planned", "begun"):
        return ""
    kept.keep(transaction, state="begun")
    before, attempts = manager.versions(), 0
    while remaining(transaction["changes"], manager.versions()):
        attempts += 1
        try:
            _transact(step, manager, remaining(transaction["changes"], manager.versions()))
        except TransactionError as failure:
            if not recover(step, manager, kept, transaction, failure.said) and attempts >= MOST_ATTEMPTS:
                raise ProcedureError("package_manager_failed", _FAILED.format(failure)) from failure
    manager.mark(transaction["changes"])
    for one in transaction["changes"]:
        if before.get(one["package"]) != one["to"]:
            with step.action(verb(one), one["package"], one["size_bytes"], versions(one)):
                pass
    for path in manager.set_aside(transaction["changes"], transaction["began_at"]):
        step.warn("{0} is the package's new file of configuration; yours was kept. Compare them".format(path))
    kept.keep(transaction, state="installed")
    packages = [one["package"] for one in transaction["changes"]]
    return "updated " + counted(packages) if packages else "no package was updated"


def restart(step, _manager, kept):
    """Restart services that run what was replaced, and find out whether the host must be rebooted."""
    transaction, units = kept.load(), restarting.restart(step)
    reasons = rebooting.reasons(step)
    allowed, helps = step.module.params["reboot"], rebooting.may_help(reasons, kept.in_vain(rebooting.boot()))
    step.record["after"] = {
        "outdated_services": len(restarting.due(step)[0]),
        "reboot_required": int(bool(reasons)),
        "reboots": int(allowed and helps),
    }
    if reasons and not (allowed and helps):
        why = _IN_VAIN if allowed else "It is not allowed by roundsman_updates_reboot"
        step.warn("a reboot is required: {0}. {1}".format("; ".join(reasons), why))
    kept.keep(transaction, restarted=sorted({*transaction["restarted"], *units}), boot=rebooting.boot())
    return "restarted " + named(units) if units else ""


def booted(step, _manager, kept):
    """Note that the host was rebooted, and wait for its services. Raises ProcedureError(reboot_failed)."""
    transaction = kept.load()
    if transaction["boot"] == rebooting.boot():
        raise ProcedureError("reboot_failed", "the host still runs as before: it was asked to reboot, and did not")
    with step.action("reboot", "the host"):
        step.run(["systemctl", "is-system-running", "--wait"])
    reasons = rebooting.reasons(step)
    kept.rebooted(rebooting.boot(), reasons)
    step.record["after"] = {"reboot_required": int(bool(reasons))}
    if reasons:
        step.warn("the host was rebooted, and a reboot is still required: " + "; ".join(reasons))
    return "rebooted"


def drain(step, _manager, kept):
    """Note that the host is taken out of service, before it is."""
    with step.action("drain", "the host"):
        kept.drain(step.module.params["unwell"])
    return ""


def well(step, _manager, kept):
    """Whether the host may go into service again: no check is worse than when it was taken out."""
    amiss = worse(step.module.params["unwell"], kept.unwell())
    step.record["after"] = {"well": int(not amiss)}
    if amiss:
        step.warn(_STILL_DRAINED.format(states(amiss)))
    return ""


def undrain(step, _manager, kept):
    """Note that it is in service again."""
    with step.action("undrain", "the host"):
        kept.undrain()
    return ""


def verify(step, manager, kept):
    """Prove that what was planned is done and nothing is half done. Raises ProcedureError(verification_failed)."""
    transaction, broken = kept.load(), manager.broken()
    if broken:
        raise ProcedureError("verification_failed", "after the update {0}".format(states(broken)))
    is_ours = transaction["state"] == "installed"
    left = remaining(transaction["changes"], manager.versions()) if is_ours else []
    if left:
        words = ", ".join("{package} is not at {to}".format(**one) for one in left)
        raise ProcedureError("verification_failed", "after the update " + words)
    if is_ours:
        restarting.require_running(step, transaction["restarted"])
        failed = sorted(set(restarting.failed_units(step)) - set(transaction["failed_units"]))
        if failed:
            raise ProcedureError("verification_failed", "failed since the update: {0}".format(named(failed)))
        kept.keep(transaction, state="verified")
    plan = _planned(step, manager, kept)
    step.record["after"] = {_pending(step): len(plan["changes"]), "drained": int(kept.drained())}
    if plan["changes"] and transaction["state"] != "undone":
        step.warn(named([one["package"] for one in plan["changes"]]) + " can be updated only now: run it once more")
    return ""


def undo(step, manager, kept):
    """Put back all versions that the last transaction changed, if it is of this lease."""
    transaction = kept.load()
    is_ours = step.module.params["lease"] in (None, transaction["lease"])
    if not is_ours or transaction["state"] not in (*OPEN, "verified"):
        return "nothing to put back"
    broken, now = manager.broken(), manager.versions()
    back = [one for one in transaction["changes"] if one["package"] in broken or one in done([one], now)]
    if back:
        put_back(step, manager, back)
    kept.keep(transaction, state="undone")
    return "put back " + counted([one["package"] for one in back]) if back else "nothing to put back"


STEPS = {
    "prepare": prepare,
    "install": install,
    "restart": restart,
    "booted": booted,
    "drain": drain,
    "well": well,
    "undrain": undrain,
    "verify": verify,
    "undo": undo,
}


class TransactionError(Exception):
    """The package manager did not go through; `said` is what it said."""

    def __init__(self, said):
        super().__init__(last_words(said))
        self.said = said


def _transact(step, manager, changes):
    size = sum(one["size_bytes"] for one in changes)
    with step.action("install", named([one["package"] for one in changes]), size):
        code, said = manager.transact(changes)
        if code:
            raise TransactionError(said)


def _fetch(step, manager, changes, *, forget):
    manager.require_room(changes)
    size = sum(one["size_bytes"] for one in changes)
    with step.action("download", named([one["package"] for one in changes]), size):
        manager.download(changes)
    if step.module.params["keep_previous"]:
        manager.keep_previous(changes, forget)


def _take_on(step, manager, kept, earlier, changes):
    """Make these changes the transaction to do, after the rest of one that was cut off; what is to be said of it."""
    lease = step.module.params["lease"]
    if earlier["state"] in OPEN:
        merged = continued(earlier["changes"], changes, manager.versions())
        kept.keep(earlier, state="begun", lease=lease, changes=merged)
        return ["goes on with an update that was cut off"]
    if changes or earlier["state"] == "planned":
        failed = restarting.failed_units(step)
        begun = dict(NOTHING, lease=lease, changes=changes, began_at=time.time(), failed_units=failed)
        kept.keep(begun, state="planned")
    return [] if changes else ["nothing to update"]


def _planned(step, manager, kept):
    refused = {} if step.module.params["retry"] else kept.refused()
    return manager.plan({name: one["version"] for name, one in refused.items()})


def _pending(step):
    return "pending_security_packages" if step.module.params["scope"] == "security" else "pending_packages"


_FAILED = "the transaction failed again and again: {0}. What was installed so far stays; see `apt-get -s -f install`."
_IN_VAIN = "The last reboot did not change that, so there is none; see which kernel the boot loader chooses"
_STILL_DRAINED = (
    "the host stays drained: {0}, and that was not so when it was taken out of service. Repair it; the next run puts it"
    " back, or do by hand what roundsman_updates_undrain says"
)
