#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: database_postgresql
short_description: Maintain PostgreSQL by measured need while applications work
version_added: "0.2.0"
description:
  - Vacuums and analyzes the tables that need it, freezes those whose transaction numbers run out, and with
    O(depth=full) lets amcheck look into the B-trees, removes what failed C(REINDEX CONCURRENTLY) left behind, and
    builds invalid and bloated indexes anew by C(REINDEX CONCURRENTLY). It measures before and after.
  - Nothing of it makes the application wait. No lock is waited for longer than O(lock_wait_s), and nothing is done that
    takes a lock which readers or writers would wait for. C(VACUUM FULL) is never used.
  - Unused and invalid indexes, tables that are mostly empty, and what keeps dead rows alive are warned of.
options:
  servers:
    description:
      - The servers. Without it, all that run on this host, each asked as the user that it runs as.
    type: list
    elements: dict
    suboptions:
      host:
        description: Name of the host, or the directory of the socket; the default is that of psql.
        type: str
      port:
        description: Port of the server.
        type: int
        default: 5432
      login:
        description: Role of the database, a superuser; named as the user by default.
        type: str
      password:
        description: Password of the login.
        type: str
      user:
        description: User of the host who asks; by default C(postgres) for root without host and password.
        type: str
  dead_rows:
    description: How many dead or changed rows make a table worth the work.
    type: int
    default: 1000
  dead_percent:
    description: Vacuum a table when this share of its rows is dead.
    type: float
    default: 10
  stale_percent:
    description: Analyze a table when this share of its rows changed since that was done.
    type: float
    default: 10
  wraparound_percent:
    description: Freeze a table that has used this share of the transaction numbers, and warn.
    type: float
    default: 25
  unused_bytes:
    description: How large an index has to be to be called unused.
    type: int
    default: 67108864
  unused_days:
    description: How many days the server has to have counted before an index is called unused.
    type: int
    default: 30
  create_amcheck:
    description: Whether to make the extension C(amcheck) in databases where it is not.
    type: bool
    default: false
extends_documentation_fragment:
  - roundsman.fleet.database
  - roundsman.fleet.database.server
  - roundsman.fleet.procedure
requirements:
  - psql 12 or newer on the host
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Maintain what runs here
  roundsman.fleet.database_postgresql:
  register: done

- name: Prove that all is as well as before
  roundsman.fleet.database_postgresql:
    before: "{{ done.maintenance.found }}"
"""

RETURN = r"""
maintenance:
  description: The record of this step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: database, step: postgresql, reclaimed_bytes: 1048576}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.database import SERVER_OPTIONS, run
from ..module_utils.procedures.database_postgresql import maintain, prove

SERVER = {
    "host": {"type": "str"},
    "port": {"type": "int", "default": 5432},
    "login": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "user": {"type": "str"},
}


def main():
    module = AnsibleModule(
        argument_spec=dict(
            SERVER_OPTIONS,
            servers={"type": "list", "elements": "dict", "options": SERVER},
            dead_rows={"type": "int", "default": 1000},
            dead_percent={"type": "float", "default": 10},
            stale_percent={"type": "float", "default": 10},
            wraparound_percent={"type": "float", "default": 25},
            unused_bytes={"type": "int", "default": 64 << 20},
            unused_days={"type": "int", "default": 30},
            create_amcheck={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    run(module, "postgresql", maintain, prove)


if __name__ == "__main__":
    main()
