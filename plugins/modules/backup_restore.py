#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_restore
short_description: Restore a snapshot into a directory
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Restores a snapshot of a source, or some paths of it, below a directory, and compares the result with the manifest.
  - Paths keep their full name below the directory. With target C(/srv/restore), the file C(/etc/hosts) becomes
    C(/srv/restore/etc/hosts).
  - When the directory already equals the snapshot nothing is done.
extends_documentation_fragment:
  - roundsman.fleet.repository
attributes:
  check_mode:
    support: full
    description: Says what would be restored.
  diff_mode:
    support: none
    description: The contents of files are not shown.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
options:
  source:
    description:
      - The id of the source.
    type: str
    required: true
  snapshot:
    description:
      - The id of the snapshot or its beginning, or V(latest) for the newest complete one.
      - An incomplete snapshot is restored only when it is named by its id.
    type: str
    default: latest
  paths:
    description:
      - Restore only these absolute paths and what is below them.
    type: list
    elements: str
    default: []
  target:
    description:
      - The directory to restore into, never V(/). It is made when it is absent.
    type: path
    required: true
  overwrite:
    description:
      - Allow a directory that is not empty. Files of the same name are replaced, others stay.
    type: bool
    default: false
  scratch_dir:
    description:
      - A directory in which a private scratch directory for the manifest is made.
      - Defaults to C(scratch) in O(state_dir).
    type: path
"""

EXAMPLES = r"""
- name: Get yesterday's web root back
  roundsman.fleet.backup_restore:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    source: www
    snapshot: 5cb33b8b
    target: /srv/restore
"""

RETURN = r"""
restore:
  description: The record of the restore as described in docs/records.md of the collection, also when it failed.
  returned: always
  type: dict
  sample:
    source: www
    target: /srv/restore
    mismatch_count: 0
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.restoring import blank, restore
from ..module_utils.session import COMMON, run_module


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            source={"type": "str", "required": True},
            snapshot={"type": "str", "default": "latest"},
            paths={"type": "list", "elements": "str", "default": []},
            target={"type": "path", "required": True},
            overwrite={"type": "bool", "default": False},
            scratch_dir={"type": "path"},
        ),
        supports_check_mode=True,
    )
    params = module.params
    target = params["target"]
    if not target.startswith("/") or os.path.realpath(target) == "/":
        module.fail_json(
            msg="target must be an absolute directory other than /, not {0!r}. Nothing was restored.".format(target)
        )
    relative = [path for path in params["paths"] if not path.startswith("/")]
    if relative:
        module.fail_json(msg="paths must be absolute, not {0}. Nothing was restored.".format(", ".join(relative)))

    def work(session, record):
        changed, message = restore(
            session,
            record,
            params["snapshot"],
            params["paths"],
            params["overwrite"],
            module.check_mode,
            params["scratch_dir"],
        )
        return {"changed": changed, "msg": message}

    run_module(module, "restore", blank(params["source"], target), work)


if __name__ == "__main__":
    main()
