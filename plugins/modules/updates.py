#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: updates
short_description: Update the packages of a host, step by step
version_added: "0.2.0"
description:
  - Plans with apt's own resolver, and does exactly what was planned. Holds and pins are apt's own; nothing that is
    held, excluded or pinned is changed.
  - A package that cannot be installed is put back to its version before, and the others go on.
  - The transaction goes on when the controller, the connection or this module dies. Whoever comes next waits for it,
    and finishes what it left.
  - The role C(roundsman.fleet.updates) does all steps in their order.
options:
  step:
    description:
      - V(prepare) repairs what was interrupted, plans, and fetches packages. It installs nothing.
      - V(install) does what was prepared.
      - V(restart) restarts services that still run what was replaced, and says whether a reboot is required.
      - V(booted) is called after a reboot, and proves that there was one.
      - V(drain) and V(undrain) note that the host is taken out of service, and that it is back; the role does it.
      - V(well) says whether a drained host may go back into service.
      - V(verify) proves that all of it is done.
      - V(undo) puts back the versions that were there before the last transaction.
    type: str
    choices: [prepare, install, restart, booted, drain, well, undrain, verify, undo]
    required: true
  manager:
    description: The package manager. V(auto) is apt where it is there, else dnf.
    type: str
    choices: [auto, apt, dnf]
    default: auto
  scope:
    description: V(security) takes the packages whose candidate comes from a security archive, and what these need.
    type: str
    choices: [security, all]
    default: all
  security_origins:
    description:
      - Patterns of archives that count as security, as C(apt-get -s) names them; C(Debian-Security:12/stable-security)
        or C(Ubuntu:24.04/noble-security). Lower and upper case are the same.
    type: list
    elements: str
    default: ["*-security", "*-security:*", "*-security/*"]
  exclude:
    description: Patterns of packages that are not updated.
    type: list
    elements: str
    default: []
  removals:
    description: Whether packages may be removed where an update demands it.
    type: bool
    default: false
  conffiles:
    description:
      - What becomes of a file of configuration that was changed on the host and in the package. V(keep) leaves the
        host's, with the package's beside it, and warns.
    type: str
    choices: [keep, replace]
    default: keep
  refresh:
    description:
      - Whether to fetch the lists of packages first. In check mode they are fetched to a temporary directory.
    type: bool
    default: true
  keep_previous:
    description: Whether to keep the packages that are replaced, as far as they are to be had, for the way back.
    type: bool
    default: true
  retry:
    description: Whether to try again packages that failed on this host in the same version.
    type: bool
    default: false
  restart:
    description:
      - Whether services that run what was replaced are restarted. They are found by needrestart where it is there. PID
        1 is C(systemd-manager) among them, and executed anew.
    type: bool
    default: true
  never_restart:
    description:
      - Patterns of services that are never restarted, but reported, besides those that a host cannot do without while
        it is in use; D-Bus, logins, the network, display managers, and what runs containers and virtual machines. Jobs,
        and units that systemd would not restart, are reported as well.
    type: list
    elements: str
    default: []
  drain:
    description: Whether the role takes the host out of service around what changes it. For the plan only.
    type: bool
    default: false
  unwell:
    description: The id and the status of checks that are not OK now, for V(drain) and V(well).
    type: dict
    default: {}
  reboot:
    description: Whether the role may reboot the host. This module never does; it says when one is required.
    type: bool
    default: false
  package_lock_timeout_s:
    description: How long to wait for others who have the package manager, in seconds.
    type: int
    default: 600
extends_documentation_fragment: [roundsman.fleet.procedure]
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Plan and fetch security updates
  roundsman.fleet.updates:
    step: prepare

- name: Install them
  roundsman.fleet.updates:
    step: install
"""

RETURN = r"""
maintenance:
  description: The record of the step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: updates, step: install, message: "updated 1 packages (tool)"}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures import apt, dnf
from ..module_utils.procedures.step import COMMON, run_step
from ..module_utils.procedures.transaction import Transactions
from ..module_utils.procedures.updates import STEPS

MANAGERS = {"apt": apt, "dnf": dnf}


def _manager(module):
    """The package manager of the host, unless it is named."""
    named = module.params["manager"]
    if named != "auto":
        return named
    return "apt" if module.get_bin_path("apt-get") else "dnf"


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            step={"type": "str", "choices": list(STEPS), "required": True},
            manager={"type": "str", "choices": ["auto", *MANAGERS], "default": "auto"},
            scope={"type": "str", "choices": ["security", "all"], "default": "all"},
            security_origins={
                "type": "list",
                "elements": "str",
                "default": ["*-security", "*-security:*", "*-security/*"],
            },
            exclude={"type": "list", "elements": "str", "default": []},
            removals={"type": "bool", "default": False},
            conffiles={"type": "str", "choices": ["keep", "replace"], "default": "keep"},
            refresh={"type": "bool", "default": True},
            keep_previous={"type": "bool", "default": True},
            retry={"type": "bool", "default": False},
            restart={"type": "bool", "default": True},
            never_restart={"type": "list", "elements": "str", "default": []},
            drain={"type": "bool", "default": False},
            unwell={"type": "dict", "default": {}},
            reboot={"type": "bool", "default": False},
            package_lock_timeout_s={"type": "int", "default": 600},
        ),
        supports_check_mode=True,
    )

    def work(step):
        kept = Transactions(module.params["state_dir"])
        if not step.check_mode:
            kept.make()
        with MANAGERS[_manager(module)].opened(step, kept.directory) as manager:
            return STEPS[module.params["step"]](step, manager, kept)

    run_step(module, "updates", module.params["step"], work)


if __name__ == "__main__":
    main()
