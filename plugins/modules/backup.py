#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Make a backup of one source of a host
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Writes a manifest of everything that the source holds (type, size, mode, owner, time, SHA-256, link target) and
    saves source and manifest as one snapshot.
  - A source whose paths do not exist fails, and nothing is saved. A source of which some files cannot be read fails,
    too; what could be saved is kept as an incomplete snapshot that never counts as a backup.
  - Every successful run makes a snapshot and reports C(changed), but see O(only_when_due).
extends_documentation_fragment:
  - roundsman.fleet.repository
attributes:
  check_mode:
    support: full
    description: Reads the source and opens the repository, but changes neither.
  diff_mode:
    support: none
    description: A backup changes nothing that could be shown.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
options:
  source:
    description:
      - What is backed up.
      - C(id) is its name, C(type) is C(files) (the default).
      - For files, C(paths) are absolute paths, C(excludes) are patterns as restic takes them, and C(include_logs), by
        default true, says whether C(/var/log) and everything named C(log) or C(logs) belong to it.
      - The keys of all types are described in docs/backup.md of the collection.
      - C(every), C(verify), C(verify_every), C(prove), C(retention) and C(description) belong to the plan. They go into
        the record; only O(only_when_due) looks at C(every).
      - C(tags) are given to the snapshot besides Roundsman's own.
    type: dict
    required: true
  backup_type:
    description:
      - V(incremental) reads only files that look changed since the last snapshot; V(full) reads all data again.
      - Both make complete snapshots, and both store only data that the repository does not have yet.
    type: str
    choices: [full, incremental]
    default: incremental
  only_when_due:
    description:
      - Do nothing, and report no change, while the newest complete snapshot in the repository is younger than C(every)
        of the source. A source without C(every) is always due.
    type: bool
    default: false
  initialize:
    description:
      - Make the repository when there is none and this host has never used one at this address.
      - A repository that has vanished or was replaced is a failure in any case.
    type: bool
    default: true
  spool_dir:
    description:
      - A directory with room for what sources dump before it is saved, in private directories C(roundsman-SOURCE).
      - Defaults to C(spool) in O(state_dir).
    type: path
  controller_time_s:
    description:
      - What the controller's clock says, in seconds since 1970. When the host's clock is so wrong that its snapshot
        would be sorted before or after others that it is not, nothing is saved. Without it the host's clock is trusted.
    type: float
"""

EXAMPLES = r"""
- name: Back up the configuration
  roundsman.fleet.backup:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    source:
      id: etc
      type: files
      paths: [/etc]
      excludes: ["*.bak"]
"""

RETURN = r"""
backup:
  description: The record of the backup as described in docs/records.md of the collection, also when it failed.
  returned: always
  type: dict
  sample:
    source: etc
    snapshot: 5cb33b8b72d6a986522a92c9a52f18c8dc1b143397d8e13640c42f4caf97805c
    manifest_entries: 1204
    reason: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.backing_up import back_up, blank, look
from ..module_utils.due import is_fresh
from ..module_utils.redaction import without_credentials
from ..module_utils.session import COMMON, run_module
from ..module_utils.sources import registry


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            source={"type": "dict", "required": True, "no_log": True},
            backup_type={"type": "str", "choices": ["full", "incremental"], "default": "incremental"},
            only_when_due={"type": "bool", "default": False},
            initialize={"type": "bool", "default": True},
            spool_dir={"type": "path"},
            controller_time_s={"type": "float"},
        ),
        supports_check_mode=True,
    )
    spec = module.params["source"]
    registry.require_sound(module, [spec])
    record = blank(
        module.params["host"], without_credentials(module.params["repository"]), spec, module.params["backup_type"]
    )

    def work(session, record):
        if module.params["only_when_due"] and is_fresh(session, spec, record):
            text = "{0} of {1}: not due until {2}"
            return {"changed": False, "msg": text.format(spec["id"], session.host, record["due_at"])}
        message = (look if module.check_mode else back_up)(session, spec, record)
        return {"changed": True, "msg": message}

    run_module(module, "backup", record, work, registry.secrets_of(spec))


if __name__ == "__main__":
    main()
