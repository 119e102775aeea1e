#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_lease
short_description: Hold a host for a maintenance procedure
version_added: "0.2.0"
description:
  - Takes the lease of a host for one procedure, after looking whether the host is fit for it, or gives the lease back.
  - A lease has a number that only grows. Every step of a procedure carries it; when a controller was taken for dead and
    another run has taken the host, what is left of the first one is refused (a fencing token).
  - A lease of a run that died on this controller, with the ledger callback enabled, is taken over at once. Others are
    respected until their time is over, unless O(take_over) names their run.
options:
  state:
    description: Take the lease, or give it back.
    type: str
    choices: [present, absent]
    default: present
  procedure:
    description: What the lease is taken for.
    type: str
  number:
    description: The lease to give back. Required with O(state=absent).
    type: int
  run:
    description: The id of the run. The action plugin fills it in.
    type: str
  controller:
    description: Who runs it. The action plugin fills it in.
    type: str
  lasts_s:
    description: How long the lease lasts, in seconds, unless a step makes it last longer.
    type: int
    default: 900
  take_over:
    description: The id of a run that is known to be dead, whole. What it holds is taken over, and no other lease.
    type: str
  free_bytes:
    description: Directory -> how many bytes must be free there, for the procedure to begin.
    type: dict
    default: {}
  symptoms:
    description:
      - Names of checks, or matchers, of alerts that the procedure explains while it holds the host. For the records
        only.
    type: list
    elements: str
    default: []
  silence_s:
    description: How long the procedure may explain them at most, in seconds.
    type: int
    default: 7200
  lock_timeout_s:
    description: How long to wait for another step of maintenance, or for a backup of this host, in seconds.
    type: int
    default: 300
  state_dir:
    description:
      - Roundsman's private directory on the host.
      - Defaults to C(/var/lib/roundsman) for root and to C(~/.local/state/roundsman) for any other user.
    type: path
attributes:
  check_mode:
    support: full
    description: Looks whether the host is fit, and takes no lease.
  diff_mode:
    support: none
    description: Nothing but the lease is changed.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Hold the host
  roundsman.fleet.maintenance_lease:
    procedure: caches
    symptoms: [data-disk]
  register: held

- name: Give it back
  roundsman.fleet.maintenance_lease:
    state: absent
    number: "{{ held.lease.number }}"
"""

RETURN = r"""
lease:
  description: The lease, or null in check mode.
  returned: always
  type: dict
  sample: {number: 7, run: 20261126T020000Z-ab12cd, procedure: caches, controller: ops1, lasts_s: 900}
previous:
  description:
    - With O(state=present), the records of the lease before, when it was never given back; what its steps had done.
  returned: always
  type: list
  elements: dict
records:
  description: With O(state=absent), the records of all steps done under the lease.
  returned: always
  type: list
  elements: dict
reason:
  description: Why the host cannot be had, as a code of docs/records.md.
  returned: failure
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.engines.base import BackupError
from ..module_utils.procedures.base import ProcedureError
from ..module_utils.procedures.fitness import require_fit
from ..module_utils.procedures.lease import Leases
from ..module_utils.procedures.step import FULL
from ..module_utils.state import State, own_directory


def _take(module, leases, state):
    params = module.params
    require_fit(state, params["free_bytes"], params["lock_timeout_s"])
    if module.check_mode:
        return {"changed": True, "lease": None, "previous": [], "records": []}
    wanted = {key: params[key] for key in ("run", "procedure", "controller", "lasts_s")}
    lease, before = leases.begin(wanted, time.time(), params["lock_timeout_s"], params["take_over"])
    previous = leases.journal(before["number"]).records() if before["ended_at"] is None else []
    return {"changed": True, "lease": lease, "previous": previous, "records": []}


def _give_back(module, leases):
    number = module.params["number"]
    failure = {}
    try:
        if not module.check_mode:
            leases.end(number, time.time(), module.params["lock_timeout_s"])
    except ProcedureError as error:
        failure = {"failed": True, "msg": error.message, "reason": error.reason}
    except OSError as error:
        reason = "no_space" if error.errno in FULL else "procedure_failed"
        failure = {"failed": True, "msg": str(error), "reason": reason}
    # A lease ends by itself; what was done under it counts all the same.
    records = leases.journal(number).records()
    return dict(failure, changed=not failure, lease=None, previous=[], records=records)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "procedure": {"type": "str"},
            "number": {"type": "int"},
            "run": {"type": "str"},
            "controller": {"type": "str"},
            "lasts_s": {"type": "int", "default": 900},
            "take_over": {"type": "str"},
            "free_bytes": {"type": "dict", "default": {}},
            "symptoms": {"type": "list", "elements": "str", "default": []},
            "silence_s": {"type": "int", "default": 7200},
            "lock_timeout_s": {"type": "int", "default": 300},
            "state_dir": {"type": "path"},
        },
        required_if=[("state", "absent", ["number"]), ("state", "present", ["procedure"])],
        supports_check_mode=True,
    )
    state = State(module.params["state_dir"] or own_directory())
    leases = Leases(state)
    try:
        answer = _take(module, leases, state) if module.params["state"] == "present" else _give_back(module, leases)
    except (ProcedureError, BackupError) as error:
        module.fail_json(msg=error.message, reason=error.reason, **getattr(error, "results", {}))
    except OSError as error:
        if error.errno not in FULL:
            raise
        text = "the lease cannot be kept in {0}: {1}. Nothing was done. Make room there."
        module.fail_json(msg=text.format(state.directory, error.strerror), reason="no_space")
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
