#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_diff
short_description: Compare two snapshots of a host, or one with what is there now
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Says what was added, removed and changed, and what of it (content, mode, owner, and so on), from the manifests.
  - Against what is live, every file that the snapshot covers is read.
extends_documentation_fragment:
  - roundsman.fleet.repository
  - roundsman.fleet.read_only
options:
  snapshot:
    description:
      - The id of a snapshot, or its beginning.
    type: str
    required: true
  other:
    description:
      - The id of another snapshot; by default the complete one of the same source before it.
    type: str
  live:
    description:
      - Compare with what is there now.
    type: bool
    default: false
  scratch_dir:
    description:
      - Where manifests lie meanwhile. Defaults to C(scratch) in O(state_dir).
    type: path
"""

EXAMPLES = r"""
- name: What changed since the last backup
  roundsman.fleet.backup_diff:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    snapshot: 5cb33b8b
    live: true
"""

RETURN = r"""
diff_of:
  description: What differs; at most 1000 entries are listed, all are counted.
  returned: success
  type: dict
  sample:
    source: etc
    before: 5cb33b8b72d6a986522a92c9a52f18c8dc1b143397d8e13640c42f4caf97805c
    after: live
    added: 0
    removed: 0
    changed: 1
    differences:
      - path: /etc/hosts
        change: changed
        what: [size, content, time]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.browsing import diff
from ..module_utils.engines.base import BackupError
from ..module_utils.session import COMMON, start


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            snapshot={"type": "str", "required": True},
            other={"type": "str"},
            live={"type": "bool", "default": False},
            scratch_dir={"type": "path"},
        ),
        supports_check_mode=True,
    )
    params = module.params
    session = start(module)
    try:
        found = diff(session, params["snapshot"], params["other"], params["live"], params["scratch_dir"])
    except BackupError as failure:
        module.fail_json(msg=session.redact(failure.message), reason=failure.reason)
    text = "{added} added, {removed} removed, {changed} changed".format(**found)
    module.exit_json(changed=False, msg=text, diff_of=found)


if __name__ == "__main__":
    main()
