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
  - Looks through each database. In one that is damaged nothing is changed, and a file of 0 bytes is a
    warning. Takes in a write-ahead log that has grown, and vacuums a file that is mostly free, if there is room for a
    copy. O(depth=light) leaves out whether each index agrees with its table.
  - Nothing of it keeps writers out for longer than O(lock_wait_s); what would is left with a warning.
options:
  paths:
    description: The files.
    type: list
    elements: path
    required: true
  wal_bytes:
    description: How large a write-ahead log has to be to be taken in.
    type: int
    default: 16777216
extends_documentation_fragment:
  - roundsman.fleet.database
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

from ..module_utils.procedures.database import OPTIONS, run
from ..module_utils.procedures.database_sqlite import maintain, prove


def main():
    module = AnsibleModule(
        argument_spec=dict(
            OPTIONS,
            paths={"type": "list", "elements": "path", "required": True},
            wal_bytes={"type": "int", "default": 16 << 20},
        ),
        supports_check_mode=True,
    )
    run(module, "sqlite", maintain, prove)


if __name__ == "__main__":
    main()
