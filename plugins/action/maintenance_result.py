# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives the lease back, and says what came of the procedure: the one record that alerts and reports are made from."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase

from ..plugin_utils.maintenance import PHASES, ROLLBACKS, regressions, summed_up

LEASE = "roundsman.fleet.maintenance_lease"
ARGUMENT_SPEC = {
    "procedure": {"type": "str", "required": True},
    "phase": {"type": "str", "choices": list(PHASES), "required": True},
    "lease": {"type": "int"},
    "began_at": {"type": "float", "required": True},
    "failure": {"type": "dict"},
    "before": {"type": "list", "elements": "dict", "default": []},
    "after": {"type": "list", "elements": "dict", "default": []},
    "ignored": {"type": "list", "elements": "str", "default": []},
    "backup": {"type": "dict", "default": {}},
    "rollback": {"type": "str", "choices": list(ROLLBACKS)},
    "warnings": {"type": "list", "elements": "str", "default": []},
    "previous": {"type": "list", "elements": "dict", "default": []},
    "planned": {"type": "list", "elements": "dict", "default": []},
    "state_dir": {"type": "path"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, parts = self.validate_argument_spec(ARGUMENT_SPEC)
        parts["records"] = parts.pop("planned")
        if parts["lease"] is not None:
            asked = {"state": "absent", "number": parts["lease"], "state_dir": parts["state_dir"]}
            answer = self._execute_module(module_name=LEASE, module_args=asked, task_vars=task_vars)
            if answer.get("failed"):
                parts["warnings"] = [*parts["warnings"], "the lease could not be given back: %s" % answer.get("msg")]
            parts["records"] = answer.get("records", [])
            if "records" not in answer and parts["failure"]:
                # What was done is not known.
                parts["failure"] = dict(parts["failure"], step=False)
        parts["regressions"] = regressions(parts["after"], parts["before"], parts.pop("ignored"))
        parts["host"] = task_vars["inventory_hostname"]
        parts["duration_s"] = round(time.time() - parts["began_at"], 3)
        record = summed_up(parts)
        result.update(changed=False, maintenance=record, msg=record["message"])
        return result
