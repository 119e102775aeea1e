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
  - The newest complete snapshot always stays, as do protected ones. Incomplete snapshots never count for a rule; they
    go as soon as a newer complete one exists.
  - Refuses to remove anything while a snapshot is dated in the future.
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
  protect:
    description:
      - Ids of snapshots, or their first eight characters or more, that stay in any case.
    type: list
    elements: str
    default: []
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

import re
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.retention import PERIODS, blank, prune
from ..module_utils.session import COMMON, run_module


def main():
    rules = {"keep_" + period: {"type": "str" if period == "within" else "int"} for period in PERIODS}
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            source={"type": "str", "required": True},
            protect={"type": "list", "elements": "str", "default": []},
            **rules,
        ),
        required_one_of=[tuple(sorted(rules))],
        supports_check_mode=True,
    )
    params = module.params
    keep = {period: params["keep_" + period] for period in PERIODS if params["keep_" + period] is not None}
    faults = ["keep_{0} must be at least 1".format(p) for p, n in keep.items() if p != "within" and n < 1]
    if "within" in keep and not re.fullmatch(r"(\d+[ymdh])+", keep["within"]):
        faults.append("keep_within must be a duration such as 30d or 1y6m, not {0!r}".format(keep["within"]))
    faults += [
        "protect: {0!r} is no id of eight characters or more".format(p)
        for p in params["protect"]
        if not re.fullmatch(r"[0-9a-f]{8,64}", p)
    ]
    if faults:
        module.fail_json(msg="; ".join(faults) + ". Nothing was removed.")

    def work(session, record):
        return prune(session, record, keep, params["protect"], module.check_mode, time.time())

    run_module(module, "prune", blank(params["source"]), work)


if __name__ == "__main__":
    main()
