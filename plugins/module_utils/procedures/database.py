# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules share that maintain databases; their options are told of in the doc fragment `database`."""

from __future__ import annotations

from .step import COMMON, run_step

OPTIONS = dict(
    COMMON,
    depth={"type": "str", "choices": ["light", "full"], "default": "full"},
    before={"type": "dict"},
    lock_wait_s={"type": "int", "default": 2},
    attempts={"type": "int", "default": 3},
    bloat_bytes={"type": "int", "default": 64 << 20},
    bloat_percent={"type": "float", "default": 40},
)
SERVER_OPTIONS = dict(
    OPTIONS,
    exclude={"type": "list", "elements": "str", "default": []},
    statement_timeout_s={"type": "int", "default": 3600},
)


def run(module, kind, maintain, prove):
    """Do the step of one kind of database, or with `before` prove that all is as well as it was."""
    work, name = (maintain, kind) if module.params["before"] is None else (prove, kind + " proof")
    run_step(module, "database", name, lambda step: work(step, module.params))
