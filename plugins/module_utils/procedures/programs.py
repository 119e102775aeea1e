# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs of the host that a step asks, or has do something."""

from __future__ import annotations

from .base import ProcedureError

# Before the arguments of a program that must end what it has begun, whatever becomes of the module.
TO_ITS_END = ["sh", "-c", 'trap "" HUP INT TERM; exec "$@"', "sh"]


def answer(step, argv, env=None):
    """What a program prints; raises ProcedureError with its last words when it fails."""
    done = step.run(argv, env)
    if done.rc != 0:
        words = (done.err.strip().splitlines() or ["it said nothing"])[-1]
        shown = " ".join(argv[len(TO_ITS_END) :] if argv[: len(TO_ITS_END)] == TO_ITS_END else argv)
        reason = "locked" if "lock" in words.lower() else "procedure_failed"
        raise ProcedureError(reason, "`{0}` ended with {1}: {2}".format(shown, done.rc, words))
    return done.out
