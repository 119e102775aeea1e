#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: health_explain
short_description: Say where each health check of a host comes from
version_added: "0.1.0"
description:
  - Merges the variables C(roundsman_default_checks) and C(roundsman_checks) over all groups of the host, as
    M(roundsman.fleet.health) does without O(roundsman.fleet.health#module:checks), and returns where each check and
    each of its keys comes from.
  - Runs on the controller and never contacts the host. Secrets are returned as C(***).
options:
  timeout_s:
    description:
      - Time limit of a check without one of its own, in seconds.
    type: float
    default: 10.0
author:
  - Roundsman contributors (@roundsman)
attributes:
  check_mode:
    description: Can run in check mode and return the same, as it changes nothing.
    support: full
  diff_mode:
    description: Returns what changed in diff mode.
    support: N/A
"""

EXAMPLES = r"""
- name: See where the checks of a host come from
  ansible.builtin.import_role:
    name: roundsman.fleet.health
    tasks_from: explain
"""

RETURN = r"""
checks:
  description: The checks of the host, also those that are switched off.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Name of the check, unique on its host.
      type: str
      returned: always
    type:
      description: Its family.
      type: str
      returned: always
    enabled:
      description: Whether it runs.
      type: bool
      returned: always
    layer:
      description: Who declares it, for example C(group db).
      type: str
      returned: always
    place:
      description: File and line, or null where Ansible does not know.
      type: str
      returned: always
    keys:
      description: Its keys, each with C(key), C(value), C(layer), C(place) and C(overrode), what holds no more.
      type: list
      elements: dict
      returned: always
  sample:
    - id: memory
      type: memory
      enabled: true
      layer: default set
      place: null
      keys:
        - key: warn
          value: 70%
          layer: group db
          place: /srv/inventory/group_vars/db.yml:2
          overrode: [{value: 90%, layer: default of memory, place: null}]
faults:
  description: All that is wrong with them. With any fault no check runs.
  returned: success
  type: list
  elements: str
  sample: []
"""
