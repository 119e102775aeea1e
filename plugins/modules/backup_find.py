#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_find
short_description: Find files in the snapshots of a host
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Says which snapshots of the host hold files of a name, how large and how old they are there, and whether they
    changed from one snapshot to the next.
extends_documentation_fragment:
  - roundsman.fleet.repository
  - roundsman.fleet.read_only
options:
  pattern:
    description:
      - A name or path as C(restic find) takes it, for example V(*.conf) or V(/etc/hosts).
    type: str
    required: true
  source:
    description:
      - Only snapshots of this source.
    type: str
  since:
    description:
      - Only snapshots that are not older than this time, in UTC as V(2026-11-24T12:00:00Z).
    type: str
"""

EXAMPLES = r"""
- name: Where are the hosts files
  roundsman.fleet.backup_find:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    pattern: hosts
"""

RETURN = r"""
found:
  description: One entry for each file in each snapshot, by path and from old to new.
  returned: success
  type: list
  elements: dict
  sample:
    - source: etc
      path: /etc/hosts
      snapshot: 5cb33b8b72d6a986522a92c9a52f18c8dc1b143397d8e13640c42f4caf97805c
      time: "2026-11-24T12:00:00.000Z"
      complete: true
      type: file
      size_bytes: 220
      mtime: "2026-11-01T08:00:00.000Z"
      change: first
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.browsing import find
from ..module_utils.engines.base import BackupError
from ..module_utils.session import COMMON, start


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            pattern={"type": "str", "required": True},
            source={"type": "str"},
            since={"type": "str"},
        ),
        supports_check_mode=True,
    )
    params = module.params
    if not params["pattern"] or params["pattern"].startswith("-"):
        module.fail_json(msg="pattern must be a name or path, not {0!r}".format(params["pattern"]))
    session = start(module)
    try:
        found = find(session, params["pattern"], params["source"], params["since"])
    except BackupError as failure:
        module.fail_json(msg=session.redact(failure.message), reason=failure.reason)
    module.exit_json(changed=False, msg="{0} found".format(len(found)), found=found)


if __name__ == "__main__":
    main()
