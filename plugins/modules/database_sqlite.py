#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: database_sqlite
short_description: Maintain SQLite databases by measured need while applications work
version_added: "0.2.0"
description:
  - Looks through each database. In one that is damaged nothing is changed. Takes in a write-ahead log that has grown,
    and vacuums a file that is mostly free, if there is room for a copy.
  - Nothing of it keeps writers out for longer than O(lock_wait_s); what would is left with a warning.
options:
  paths:
    description: The files.
    type: list
    elements: path
    required: true
  depth:
    description: How to look; V(light) leaves out whether each index agrees with its table.
    type: str
    choices: [light, full]
    default: full
  before:
    description: What an earlier call found, C(maintenance.found). With it the files are looked through once more only.
    type: dict
  lock_wait_s:
    description: How long to wait for others, and how long they may have to wait, in seconds.
    type: int
    default: 2
  attempts:
    description: How often something is tried while others hold the database, before it is left with a warning.
    type: int
    default: 3
  wal_bytes:
    description: How large a write-ahead log has to be to be taken in.
    type: int
    default: 16777216
  bloat_bytes:
    description: How much of a file has to be free to be worth the work.
    type: int
    default: 67108864
  bloat_percent:
    description: What share of it has to be free as well.
    type: float
    default: 40
extends_documentation_fragment:
  - roundsman.fleet.procedure
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Maintain the database of the dashboard
  roundsman.fleet.database_sqlite:
    paths: [/var/lib/grafana/grafana.db]
"""

RETURN = r"""
maintenance:
  description: The record of this step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: database, step: sqlite, reclaimed_bytes: 1048576}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.database_sqlite import maintain, prove
from ..module_utils.procedures.step import COMMON, run_step


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            paths={"type": "list", "elements": "path", "required": True},
            depth={"type": "str", "choices": ["light", "full"], "default": "full"},
            before={"type": "dict"},
            lock_wait_s={"type": "int", "default": 2},
            attempts={"type": "int", "default": 3},
            wal_bytes={"type": "int", "default": 16 << 20},
            bloat_bytes={"type": "int", "default": 64 << 20},
            bloat_percent={"type": "float", "default": 40},
        ),
        supports_check_mode=True,
    )
    if module.params["before"] is None:
        run_step(module, "database", "sqlite", lambda step: maintain(step, module.params))
    run_step(module, "database", "sqlite proof", lambda step: prove(step, module.params))


if __name__ == "__main__":
    main()
