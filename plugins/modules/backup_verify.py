#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_verify
short_description: Prove that snapshots can be restored
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Gathers evidence for snapshots, level by level. V(stored) means that the structure of the repository is consistent.
    V(read) means that all data were read back and match their hashes. V(restored) means that the snapshot was restored
    without a cache into a scratch directory, and that every entry equals the manifest taken at backup time. V(proven)
    means that the application was started from the restored copy, apart from the network, and answered what it had
    answered at backup time. Files without an application stay at V(restored), which is all that can be known of them.
  - Each level includes the ones before it, but V(restored) needs no V(read) when O(read_days) spreads the reading, for
    it reads all data of its snapshot. The repository is checked once for all snapshots of a call.
  - Owner and group are compared only by root, because nobody else can restore them.
  - Fails when any snapshot did not reach the wanted level, and reports all of them in any case.
extends_documentation_fragment:
  - roundsman.fleet.repository
  - roundsman.fleet.read_only
options:
  sources:
    description:
      - Ids of sources; the newest complete snapshot of each is verified.
    type: list
    elements: str
    default: []
  snapshots:
    description:
      - Ids of snapshots of this host.
    type: list
    elements: str
    default: []
  level:
    description:
      - The level to reach.
    type: str
    choices: [stored, read, restored, proven]
    default: restored
  read_days:
    description:
      - The days within which all data of the repository are read back, from 1 to 256. Each verification at V(read) or
        above reads the part of the data that is due longest, and more when days were skipped. A snapshot is V(read)
        when all parts were read since it was made; until then it stays at V(stored), which is no failure.
      - V(1) reads everything each time.
    type: int
    default: 1
  where:
    description:
      - The name of the host that looks, when it is not O(host), for the record.
    type: str
  checks:
    description:
      - The check commands of the inventory, by source. Each is a list of the command and the user, who may be empty.
      - A check that a snapshot names is run only when it is named here, too.
    type: dict
    default: {}
  self_test:
    description:
      - After a proof that held, damage the restored copy and prove it again. A drill that does not fail then is
        reported as broken.
    type: bool
    default: false
  scratch_dir:
    description:
      - A directory in which a private scratch directory is made for the time of the comparison.
      - Defaults to C(scratch) in O(state_dir).
    type: path
"""

EXAMPLES = r"""
- name: Restore the newest snapshots and compare them with their manifests
  roundsman.fleet.backup_verify:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    sources: [etc, www]
"""

RETURN = r"""
verifications:
  description: One record for each snapshot as described in docs/records.md of the collection, also when it failed.
  returned: always
  type: list
  elements: dict
  sample:
    - source: etc
      wanted: restored
      level: restored
      outcome: ok
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import rotation
from ..module_utils.session import COMMON, start
from ..module_utils.verification import LEVELS, Wish, verify


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            sources={"type": "list", "elements": "str", "default": []},
            snapshots={"type": "list", "elements": "str", "default": []},
            level={"type": "str", "choices": list(LEVELS), "default": "restored"},
            read_days={"type": "int", "default": 1},
            where={"type": "str"},
            checks={"type": "dict", "default": {}},
            self_test={"type": "bool", "default": False},
            scratch_dir={"type": "path"},
        ),
        required_one_of=[("sources", "snapshots")],
        supports_check_mode=True,
    )
    params = module.params
    if not 1 <= params["read_days"] <= rotation.MOST:
        module.fail_json(msg="read_days must be from 1 to {0}".format(rotation.MOST), verifications=[])
    wish = Wish(
        params["level"],
        params["read_days"],
        params["where"] or params["host"],
        params["scratch_dir"],
        params["self_test"],
    )
    records = verify(start(module), wish, params["sources"], params["snapshots"])
    failed = [record["message"] for record in records if record["outcome"] != "ok"]
    if failed:
        module.fail_json(msg="\n".join(failed), verifications=records)
    module.exit_json(changed=False, msg="\n".join(record["message"] for record in records), verifications=records)


if __name__ == "__main__":
    main()
