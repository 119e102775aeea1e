# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of the module health_explain, which has no other."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ..module_utils.redaction import redactor
from ..plugin_utils.explain import explain
from ..plugin_utils.layers import profile_of, secrets_of
from ..plugin_utils.profiles import faults_of


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset(["timeout_s"])

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, parameters = self.validate_argument_spec({"timeout_s": {"type": "float", "default": 10.0}})
        checks, faults = profile_of(self, task_vars)
        faults += faults_of(checks, parameters["timeout_s"])
        secrets = secrets_of(task_vars, self._templar)
        return dict(
            result,
            changed=False,
            checks=explain(checks, secrets),
            faults=[redactor("", secrets)(fault) for fault in faults],
            _ansible_verbose_always=True,
        )
