# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said of an update of an application to the person on call."""

from __future__ import annotations

FAILED_BEFORE = (
    "{0} stays at {1}: {version} was tried before and rolled back ({why}). Set another version, or "
    "roundsman_application_retry=true to try it once more"
)
IRREVERSIBLE = (
    "{0}. It was NOT rolled back, for its migration cannot be undone (irreversible: true). It came as far as {1}; now: "
    "{2}; before: {3}. Correct what is amiss and run the update again, which goes on from there; or restore the data "
    "of {4} from the backup made before, and then put the old version back by hand"
)
STUCK = (
    "{0} {1} failed ({2}), and putting {3} back failed, too: {4}. The next run tries to put it back again. Look at the "
    "host now"
)


def way(application, old, new):
    return "{0} {1} -> {2}".format(application, old or "(nothing)", new or "(nothing)")


def release(application, version):
    return "release {1} of {0}".format(application, version)


def instead_of(version):
    return " in place of {0}".format(version) if version else ""
