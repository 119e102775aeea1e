# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a host must be rebooted for its updates, and whether it was."""

from __future__ import annotations

import os
import shutil

from ..checks.uptime import reboot_reasons


def reasons(step):
    """Why the host must be rebooted: words, none when it need not."""
    found = reboot_reasons()
    if shutil.which("needs-restarting") and step.run(["needs-restarting", "-r"]).rc == 1:
        found.append("needs-restarting says so")
    return found


def may_help(found, in_vain):
    """Whether a reboot is for anything that the last one did not fail to change, as where an older kernel is chosen."""
    return not set(found) <= set(in_vain)


def boot(proc="/proc"):
    """Names this boot of the host. A container has the boot id of what it runs on, so its first process counts, too."""
    with open(os.path.join(proc, "sys/kernel/random/boot_id")) as stream:
        number = stream.read().strip()
    with open(os.path.join(proc, "1/stat")) as stream:
        return number + " " + stream.read().rpartition(")")[2].split()[19]
