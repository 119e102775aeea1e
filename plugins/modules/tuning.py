#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: tuning
short_description: Tune a host, one change at a time, and put it back
version_added: "0.2.0"
description:
  - Trims filesystems, brings swap back into memory, and changes settings of the kernel, of disks, of tuned and of
    PostgreSQL.
  - Every setting is changed for itself. With O(measure) a figure is taken before and after it. What did not help is
    taken back, and not tried again until everything was reverted.
  - The value before is on disk before a setting is changed, so V(reverted) puts everything back, also after a crash.
    What somebody else has set since is left alone.
extends_documentation_fragment:
  - roundsman.fleet.procedure
options:
  state:
    description:
      - V(tuned) does O(steps). V(verified) proves that what was changed is in force. V(rolled_back) takes back what
        this lease changed, V(reverted) everything that was ever changed.
    type: str
    choices: [tuned, verified, rolled_back, reverted]
    default: tuned
  steps:
    description:
      - What to do. It is done in the order of the default.
    type: list
    elements: str
    choices: [fstrim, swap, sysctl, scheduler, tuned, postgresql]
    default: [fstrim, swap, sysctl, scheduler, tuned, postgresql]
  profile:
    description: Which of O(profiles) the kernel's keys are set by; empty for none.
    type: str
    default: ""
  profiles:
    description: Name of a profile -> its keys of sysctl and their values. They are kept in C(/etc/sysctl.d).
    type: dict
    default: {}
  fstrim_every_h:
    description: After how many hours a filesystem is trimmed again.
    type: float
    default: 20
  swap_margin_percent:
    description: How much of the memory has to be available with everything that is in swap.
    type: int
    default: 25
  scheduler:
    description: Block device -> its I/O scheduler.
    type: dict
    default: {}
  tuned_profile:
    description: The profile of tuned to activate, or several; empty to say only what it recommends.
    type: str
    default: ""
  postgresql_apply:
    description: Follow the advice for PostgreSQL where no restart is needed.
    type: bool
    default: false
  postgresql_user:
    description: Whom to become to ask PostgreSQL.
    type: str
    default: postgres
  postgresql_port:
    description: The port of PostgreSQL.
    type: int
    default: 5432
  measure:
    description:
      - What is measured before and after each change of a setting. Without it a change that is asked for is kept.
    type: dict
    suboptions:
      command:
        description: A command for C(/bin/sh) whose last word is a number.
        type: str
      builtin:
        description: Or one that every host has - the time to connect over loopback, or to write 4 KiB to the disk.
        type: str
        choices: [tcp_connect_us, disk_sync_us]
      user:
        description: Whom the command runs as.
        type: str
      better:
        description: Which figures are the better ones.
        type: str
        choices: [lower, higher]
        default: lower
      least_gain_percent:
        description: By how much a change has to make the figure better to be kept.
        type: float
        default: 3
      samples:
        description: How many samples are taken; their median counts.
        type: int
        default: 5
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Let a web server take more connections, if that makes it faster
  roundsman.fleet.tuning:
    steps: [sysctl]
    profile: web
    profiles:
      web: {net.core.somaxconn: 4096}
    measure: {command: /usr/local/bin/bench-shop, better: higher, least_gain_percent: 5}

- name: Put everything back
  roundsman.fleet.tuning:
    state: reverted
"""

RETURN = r"""
maintenance:
  description: The record of the step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: tuning, step: tuned, message: "fstrim: 2 filesystems, 812 MiB", actions: []}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.step import COMMON, run_step
from ..module_utils.procedures.tuning import faults
from ..module_utils.procedures.tuning_book import Book
from ..module_utils.procedures.tuning_changes import Changes, put_back, require_in_force
from ..module_utils.procedures.tuning_kinds import Scheduler, Sysctl, Tuned
from ..module_utils.procedures.tuning_measure import Measure
from ..module_utils.procedures.tuning_postgresql import PostgreSQL
from ..module_utils.procedures.tuning_steps import ORDER, Steps
from ..module_utils.state import State, own_directory

MEASURE = {
    "command": {"type": "str"},
    "builtin": {"type": "str", "choices": ["tcp_connect_us", "disk_sync_us"]},
    "user": {"type": "str"},
    "better": {"type": "str", "choices": ["lower", "higher"], "default": "lower"},
    "least_gain_percent": {"type": "float", "default": 3.0},
    "samples": {"type": "int", "default": 5},
}


def work_with(params):
    """What run_step runs."""

    def work(step):
        state = State(params["state_dir"] or own_directory())
        book = Book(state)
        server = PostgreSQL(step, params["postgresql_user"], params["postgresql_port"])
        kinds = {kind.name: kind for kind in (Sysctl(), Scheduler(), Tuned(step.run), server)}
        measure = Measure(step, params["measure"], state.directory) if params["measure"] else None
        changes = Changes(step, book, measure, params["lease"])
        if params["state"] == "verified":
            return require_in_force(book, kinds, params["lease"])
        if params["state"] in ("rolled_back", "reverted"):
            return put_back(step, book, changes, kinds, params["lease"] if params["state"] == "rolled_back" else None)
        steps = Steps(step, params, book, changes, kinds)
        said = [steps.run(name) for name in ORDER if name in params["steps"]]
        return "; ".join([*said, *changes.words()])

    return work


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            state={"type": "str", "choices": ["tuned", "verified", "rolled_back", "reverted"], "default": "tuned"},
            steps={"type": "list", "elements": "str", "choices": list(ORDER), "default": list(ORDER)},
            profile={"type": "str", "default": ""},
            profiles={"type": "dict", "default": {}},
            fstrim_every_h={"type": "float", "default": 20.0},
            swap_margin_percent={"type": "int", "default": 25},
            scheduler={"type": "dict", "default": {}},
            tuned_profile={"type": "str", "default": ""},
            postgresql_apply={"type": "bool", "default": False},
            postgresql_user={"type": "str", "default": "postgres"},
            postgresql_port={"type": "int", "default": 5432},
            measure={
                "type": "dict",
                "options": MEASURE,
                "mutually_exclusive": [("command", "builtin")],
                "required_one_of": [("command", "builtin")],
            },
        ),
        required_if=[("state", "rolled_back", ["lease"])],
        supports_check_mode=True,
    )
    found = faults(module.params)
    if found:
        module.fail_json(msg="; ".join(found) + ". Nothing was done")
    run_step(module, "tuning", module.params["state"], work_with(module.params))


if __name__ == "__main__":
    main()
