#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_prune
short_description: Remove old snapshots of a source by rules
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Removes the snapshots of one source of this host that no rule keeps, and frees their space.
  - The newest complete snapshot always stays, as do those on hold and the newest of those with the highest evidence.
    Incomplete snapshots never count for a rule; they go as soon as a newer complete one exists.
  - Snapshots that are dated in the future are reported. They stay, count for no rule and displace nothing.
  - Rules mean what they mean to restic; hours, days, weeks, months and years are those of UTC.
extends_documentation_fragment:
  - roundsman.fleet.repository
attributes:
  check_mode:
    support: full
    description: Reports the plan.
  diff_mode:
    support: full
    description: Shows the list of snapshots before and after.
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
  keep_last:
    description:
      - Keep this many newest snapshots.
    type: int
  keep_hourly:
    description:
      - Keep the newest snapshot of each of this many hours that have one.
    type: int
  keep_daily:
    description:
      - Keep the newest snapshot of each of this many days that have one.
    type: int
  keep_weekly:
    description:
      - Keep the newest snapshot of each of this many weeks that have one.
    type: int
  keep_monthly:
    description:
      - Keep the newest snapshot of each of this many months that have one.
    type: int
  keep_yearly:
    description:
      - Keep the newest snapshot of each of this many years that have one.
    type: int
  keep_within:
    description:
      - Keep all snapshots that are at most this much older than the newest, for example V(30d) or V(1y6m).
    type: str
  holds:
    description:
      - Snapshots that stay whatever the rules say.
    type: list
    elements: dict
    default: []
    suboptions:
      snapshot:
        description:
          - The id of the snapshot, or its first eight characters or more.
        type: str
        required: true
      until:
        description:
          - The last day (V(2026-12-31), in UTC) or the end (V(2026-12-31T12:00:00Z)) of the hold. Without it, for ever.
        type: str
      why:
        description:
          - Why it is held.
        type: str
        default: no reason given
  evidence:
    description:
      - What is known of snapshots, a mapping of full ids to V(stored), V(read), V(restored) or V(proven). The newest of
        those with the highest level stays.
    type: dict
    default: {}
  most_percent:
    description:
      - Refuse to remove more than this share of the complete snapshots, unless O(force). Up to three may always go.
    type: int
    default: 50
  force:
    description:
      - Remove what no rule keeps, however much it is.
    type: bool
    default: false
  repository_id:
    description:
      - The id that the repository must have, see RV(roundsman.fleet.backup_info#module:repository_id). Give it when
        this runs for another host.
    type: str
"""

EXAMPLES = r"""
- name: Keep a week of days and a year of months
  roundsman.fleet.backup_prune:
    host: "{{ inventory_hostname }}"
    repository: /var/backups/roundsman
    password: "{{ vault_repository_password }}"
    source: etc
    keep_daily: 7
    keep_monthly: 12
    holds:
      - {snapshot: 5cb33b8b, until: "2026-12-31", why: audit of the third quarter}
"""

RETURN = r"""
prune:
  description: The plan and what came of it, as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample:
    source: etc
    removed: 3
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.pruning import blank, prune
from ..module_utils.redaction import without_credentials
from ..module_utils.retention import RULES, faults
from ..module_utils.session import COMMON, run_module

HOLD = {
    "snapshot": {"type": "str", "required": True},
    "until": {"type": "str"},
    "why": {"type": "str", "default": "no reason given"},
}


def main():
    options = {"keep_" + rule: {"type": "str" if rule == "within" else "int"} for rule in RULES}
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            source={"type": "str", "required": True},
            holds={"type": "list", "elements": "dict", "options": HOLD, "default": []},
            evidence={"type": "dict", "default": {}},
            most_percent={"type": "int", "default": 50},
            force={"type": "bool", "default": False},
            repository_id={"type": "str"},
            **options,
        ),
        required_one_of=[tuple(sorted(options))],
        supports_check_mode=True,
    )
    params = module.params
    rules = {rule: params["keep_" + rule] for rule in RULES if params["keep_" + rule] is not None}
    wrong = faults(rules, params["holds"])
    if wrong:
        module.fail_json(msg="; ".join(wrong) + ". Nothing was removed.")
    record = blank(params["source"], without_credentials(params["repository"]), rules)
    run_module(module, "prune", record, prune)


if __name__ == "__main__":
    main()
