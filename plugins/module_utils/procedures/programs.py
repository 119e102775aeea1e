# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs of the host that a step asks."""

from __future__ import annotations

from .base import ProcedureError


def answer(step, argv, env=None):
    """What a program prints; raises ProcedureError with its last words when it fails."""
    done = step.run(argv, env)
    if done.rc != 0:
        words = (done.err.strip().splitlines() or ["it said nothing"])[-1]
        reason = "locked" if "lock" in words.lower() else "procedure_failed"
        raise ProcedureError(reason, "`{0}` ended with {1}: {2}".format(" ".join(argv), done.rc, words))
    return done.out
