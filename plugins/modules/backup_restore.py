#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_restore
short_description: Restore a snapshot into a directory, or in place
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Restores a snapshot of a source, or some paths of it, below a directory, and compares the result with the manifest.
  - Paths keep their full name below the directory. With target C(/srv/restore), the file C(/etc/hosts) becomes
    C(/srv/restore/etc/hosts).
  - When the directory already equals the snapshot nothing is done.
  - With O(in_place) the data go back to where they came from. They are restored into a scratch directory first and
    compared with the manifest; services that the source names in C(stop) are stopped; what is there now becomes a
    snapshot with the tag C(safety), which counts as no backup and which only its id leads to; what is proven to be gone
    needs none. Then only entries that differ are replaced, each as a whole, and what ran before is started again, also
    after a failure. Databases load their dump. After a restore that was killed, the next one completes it.
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
  at:
    description:
      - Take the newest complete snapshot that is not newer than this time, in UTC as V(2026-11-24T12:00:00Z), unless
        O(snapshot) names one.
    type: str
  target:
    description:
      - The directory to restore into, never V(/). It is made when it is absent. Needed without O(in_place).
    type: path
  in_place:
    description:
      - Put the data back to where they came from.
    type: bool
    default: false
  definition:
    description:
      - In place, the source as it is defined (see M(roundsman.fleet.backup)). Its C(stop) lists systemd units that must
        not run meanwhile; databases need their keys to load the data. By default what the manifest remembers, which
        holds no secrets.
    type: dict
    default: {}
  delete:
    description:
      - In place, remove files that are there now and not in the snapshot. They are in the safety snapshot.
    type: bool
    default: false
  safety:
    description:
      - In place, make a snapshot of what is there now before it is overwritten. When that fails nothing is overwritten.
    type: bool
    default: true
  where:
    description:
      - The name of the host that restores, when it is another one than O(host).
    type: str
  spool_dir:
    description:
      - A directory for the dump of a safety snapshot, see M(roundsman.fleet.backup).
    type: path
  overwrite:
    description:
      - Allow a directory that is not empty. Files of the same name are replaced, others stay.
    type: bool
    default: false
  scratch_dir:
    description:
      - A directory in which a private scratch directory is made for the manifest and, in place, for the copy.
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

- name: Put the shop back as it was on Tuesday at noon
  roundsman.fleet.backup_restore:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    source: shop
    at: "2026-11-24T12:00:00Z"
    in_place: true
    definition: {id: shop, paths: [/srv/shop], stop: [shop.service]}
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
import re

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.restoring import blank, restore
from ..module_utils.session import COMMON, run_module
from ..module_utils.sources import registry


def faults(params):
    """What is wrong with the arguments, as a list of str."""
    found, target = [], params["target"]
    if params["in_place"] == bool(target):
        found.append("exactly one of target and in_place must be given")
    elif target and (not target.startswith("/") or os.path.realpath(target) == "/"):
        found.append("target must be an absolute directory other than /, not {0!r}".format(target))
    relative = [path for path in params["paths"] if not path.startswith("/")]
    if relative:
        found.append("paths must be absolute, not {0}".format(", ".join(relative)))
    if params["at"] and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", params["at"]):
        found.append("at must be a time in UTC like 2026-11-24T12:00:00Z, not {0!r}".format(params["at"]))
    return found


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            source={"type": "str", "required": True},
            snapshot={"type": "str", "default": "latest"},
            at={"type": "str"},
            paths={"type": "list", "elements": "str", "default": []},
            target={"type": "path"},
            in_place={"type": "bool", "default": False},
            definition={"type": "dict", "default": {}},
            delete={"type": "bool", "default": False},
            safety={"type": "bool", "default": True},
            where={"type": "str"},
            overwrite={"type": "bool", "default": False},
            scratch_dir={"type": "path"},
            spool_dir={"type": "path"},
        ),
        supports_check_mode=True,
        # A definition may hold secrets, which the host's log is not for.
        no_log=True,
    )
    params = module.params
    if params["definition"]:
        registry.require_sound(module, [params["definition"]])
    found = faults(params)
    if found:
        module.fail_json(msg="; ".join(found) + ". Nothing was restored.")

    def work(session, record):
        changed, message = restore(session, record, params, module.check_mode)
        return {"changed": changed, "msg": message}

    record = blank(params["source"], params["target"], params["where"] or params["host"])
    run_module(module, "restore", record, work, registry.secrets_of(params["definition"]))


if __name__ == "__main__":
    main()
