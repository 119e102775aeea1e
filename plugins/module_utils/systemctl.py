# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking systemd about its units."""

from __future__ import annotations

import os

from .family import CannotLookError

BOOTED = "/run/systemd/system"  # sd_booted(3)


def booted():
    return os.path.isdir(BOOTED)


def ask(context, *arguments):
    """What systemctl prints, all times in UTC."""
    code, stdout, stderr = context.run(["systemctl", "--no-pager", *arguments], environment={"TZ": "UTC"})
    if code:
        words = stderr.strip().splitlines()
        raise CannotLookError(
            "systemd does not answer: %s" % (words[-1] if words else "systemctl ended with %d" % code),
            "see `systemctl status` on the host; where systemd is not the init, remove the check",
        )
    return stdout


def show(context, properties, units):
    """unit -> its properties, of all `units` (names or patterns; patterns find what systemd has loaded)."""
    if not units:
        return {}
    answer = ask(context, "show", "--property=" + ",".join(("Id", *properties)), "--", *units)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in answer.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}
