# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person is told of updates before they are done."""

from __future__ import annotations

from .apt_words import versions
from .mending import named


def tell_plan(step, changes, units, reasons, drains):
    """Note what would be done, in its order."""
    if drains:
        step.plan("drain", "the host")
    for one in changes:
        step.plan(verb(one), one["package"], one["size_bytes"], versions(one))
    for unit in units:
        step.plan("restart", unit, detail="it runs what was replaced")
    if reasons:
        step.plan("reboot", "the host", detail="; ".join(reasons))
    if drains:
        step.plan("undrain", "the host")


def verb(change):
    return "remove" if change["to"] is None else "update"


def tell_of_rest(step, left, kept):
    """What stays although it could be updated: what an administrator decided is said, the rest is warned of."""
    said = []
    for why in ("held", "excluded"):
        packages = [one["package"] for one in left if one["why"] == why]
        said += ["{0}: {1}".format(why, named(packages))] if packages else []
    refused = kept.refused()
    for one in left:
        if one["why"] == "refused":
            step.warn(_STILL_REFUSED.format(one["package"], one["to"], refused[one["package"]]["why"]))
    back = ["{package} {to}".format(**one) for one in left if one["why"] == "kept back"]
    if back:
        step.warn("kept back, for they need a removal or are not for this host yet: " + named(back))
    return said


_STILL_REFUSED = "{0} {1} failed here before and was not tried: {2}. To try it, set roundsman_updates_retry=true"
