# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Says who asks for the lease, and knows whether the run that holds it is one of this controller's dead."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..plugin_utils import ledger_file

MODULE = "roundsman.fleet.maintenance_lease"


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        run, controller = ledger_file.current()
        asked = dict(self._task.args, run=run, controller=controller)
        answer = self._execute_module(module_name=MODULE, module_args=asked, task_vars=task_vars)
        holder = answer.get("holder")
        if holder and holder["controller"] == controller and ledger_file.is_dead(holder["run"]):
            asked["take_over"] = holder["run"]
            answer = self._execute_module(module_name=MODULE, module_args=asked, task_vars=task_vars)
        if answer.get("lease"):
            answer.update(symptoms=self._task.args.get("symptoms") or [], silence_s=self._task.args["silence_s"])
        result.update(answer)
        return result
