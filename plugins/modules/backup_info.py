#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List the snapshots of a host, and check definitions of sources
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Lists what the repository holds for this host. An empty repository, or none at all, gives an empty list.
  - With O(sources) it first checks definitions and fails with all faults at once. Without O(repository) it does
    nothing else.
extends_documentation_fragment:
  - roundsman.fleet.read_only
options:
  sources:
    description:
      - Definitions of sources to check, as the module M(roundsman.fleet.backup) takes them.
    type: list
    elements: dict
    default: []
  repository:
    description:
      - Where the snapshots are kept, see M(roundsman.fleet.backup).
    type: str
  password:
    description:
      - The password of the repository.
    type: str
  environment:
    description:
      - More environment variables for the engine. All values count as secret.
    type: dict
    default: {}
  engine:
    description:
      - The backup program.
    type: str
    choices: [restic]
    default: restic
  state_dir:
    description:
      - Roundsman's directory on the host, see M(roundsman.fleet.backup).
    type: path
  host:
    description:
      - The name under which snapshots are kept.
    type: str
  timeout_s:
    description:
      - How long the module may work, in seconds.
    type: int
    default: 300
  lock_timeout_s:
    description:
      - Taken for the sake of uniform arguments; listing waits for nobody.
    type: int
    default: 300
  low_priority:
    description:
      - Taken for the sake of uniform arguments; listing costs little.
    type: bool
    default: true
  limit_upload_kib_s:
    description:
      - How many KiB the engine may send to the repository in a second. V(0) means no limit.
    type: int
    default: 0
  limit_download_kib_s:
    description:
      - How many KiB the engine may fetch from the repository in a second. V(0) means no limit.
    type: int
    default: 0
  connections:
    description:
      - How many connections to the repository the engine may use at once. V(0) leaves the number to the engine.
    type: int
    default: 0
  processors:
    description:
      - How many processors the engine may use at once. V(0) means all.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: List this host's snapshots
  roundsman.fleet.backup_info:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"

- name: Check definitions before anything runs
  roundsman.fleet.backup_info:
    sources: "{{ roundsman_backups }}"
"""

RETURN = r"""
repository_id:
  description: The engine's id of the repository, or null when there is none yet.
  returned: when O(repository) is given
  type: str
  sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9
snapshots:
  description: The snapshots of this host, oldest first.
  returned: when O(repository) is given
  type: list
  elements: dict
  contains:
    id:
      description: The full id.
      type: str
    source:
      description: The id of the source.
      type: str
    time:
      description: When it was made, RFC 3339 in UTC.
      type: str
    complete:
      description: Whether everything of the source is in it.
      type: bool
    tags:
      description: The tags that its definition gave it.
      type: list
      elements: str
    manifest_sha256:
      description: The SHA-256 of its manifest.
      type: str
    paths:
      description: What was saved, the manifest among it.
      type: list
      elements: str
    total_bytes:
      description: How much the source held, where the repository tells (restic 0.17 and newer).
      type: int
    added_bytes:
      description: How much of it was new, where the repository tells.
      type: int
  sample:
    - id: 5cb33b8b72d6a986522a92c9a52f18c8dc1b143397d8e13640c42f4caf97805c
      source: etc
      complete: true
inventory:
  description: The same for the ledger, with the address and the plans of O(sources), as described in docs/records.md.
  returned: when O(repository) is given
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.backing_up import listed
from ..module_utils.engines.base import TAG, BackupError, tag_value
from ..module_utils.repository import recognise
from ..module_utils.session import COMMON, start
from ..module_utils.sources import registry
from ..module_utils.sources.plan import plan_of


def held(session):
    """The id of the repository (None when there is none yet), and what it holds for this host."""
    engine = session.engine()
    try:
        repository_id = recognise(engine, session.memory, session.url)
    except BackupError as failure:
        if failure.reason == "repository_missing" and not session.memory.known(session.url):
            return None, []
        raise
    mine = {s.id: s for s in engine.snapshots() if s.host == session.host and TAG in s.tags}
    lines = listed(list(mine.values()))
    return repository_id, [
        dict(line, source=tag_value(mine[line["id"]], "source"), paths=list(mine[line["id"]].paths)) for line in lines
    ]


def main():
    spec = {name: dict(option) for name, option in COMMON.items()}
    for name in ("repository", "password", "host"):
        del spec[name]["required"]
    spec["timeout_s"]["default"] = 300
    module = AnsibleModule(
        argument_spec=dict(spec, sources={"type": "list", "elements": "dict", "default": [], "no_log": True}),
        required_by={"repository": ("password", "host")},
        supports_check_mode=True,
    )
    registry.require_sound(module, module.params["sources"])
    if not module.params["repository"]:
        module.exit_json(changed=False, msg="{0} definitions are sound".format(len(module.params["sources"])))
    session = start(module)
    try:
        repository_id, snapshots = held(session)
    except BackupError as failure:
        module.fail_json(msg=session.redact(failure.message), reason=failure.reason, snapshots=[])
    inventory = {
        "repository": session.repository,
        "snapshots": snapshots,
        "plans": {spec["id"]: plan_of(spec) for spec in module.params["sources"]},
    }
    text = "{0} snapshots".format(len(snapshots))
    module.exit_json(changed=False, msg=text, snapshots=snapshots, inventory=inventory, repository_id=repository_id)


if __name__ == "__main__":
    main()
