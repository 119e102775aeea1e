#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: database_mariadb
short_description: Maintain MariaDB by measured need while applications work
version_added: "0.2.0"
description:
  - Analyzes InnoDB tables whose statistics are old, and with O(depth=full) checks all of them and builds those anew
    that are mostly free, online. In a server with a damaged table nothing is changed.
  - What is done is not written to the binary log. No lock is waited for longer than O(lock_wait_s), and what cannot be
    done while others write is left with a warning; so are tables of other engines.
options:
  depth:
    description: What to do; V(light) only analyzes.
    type: str
    choices: [light, full]
    default: full
  servers:
    description:
      - The servers. Without it, the one that the client of MariaDB finds, if one runs on this host.
    type: list
    elements: dict
    suboptions:
      host:
        description: Name of the host.
        type: str
      port:
        description: Port of the server.
        type: int
      socket:
        description: Path of its socket.
        type: str
      login:
        description: Account, which needs the rights of an administrator.
        type: str
      password:
        description: Password of the login.
        type: str
  before:
    description:
      - What an earlier call found, C(maintenance.found). With it nothing is done but to check the tables that were
        built anew.
    type: dict
  exclude:
    description: Patterns of tables (C(database.table)) that are left alone.
    type: list
    elements: str
    default: []
  lock_wait_s:
    description: How long a statement may wait for a lock, in seconds.
    type: int
    default: 2
  statement_timeout_s:
    description: How long a statement may take, in seconds.
    type: int
    default: 3600
  attempts:
    description: How often a statement is tried whose lock is not to be had, before it is left with a warning.
    type: int
    default: 3
  stale_days:
    description: Analyze a table that was written to since it was analyzed, if that was so many days ago.
    type: int
    default: 30
  bloat_bytes:
    description: How much of a table's file has to be free to be worth the work.
    type: int
    default: 67108864
  bloat_percent:
    description: What share of it has to be free as well.
    type: float
    default: 40
extends_documentation_fragment:
  - roundsman.fleet.procedure
requirements:
  - the client mariadb (or mysql) on the host
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Maintain what runs here
  roundsman.fleet.database_mariadb:
  register: done

- name: Prove that all is as well as before
  roundsman.fleet.database_mariadb:
    before: "{{ done.maintenance.found }}"
"""

RETURN = r"""
maintenance:
  description: The record of this step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: database, step: mariadb, reclaimed_bytes: 1048576}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.database_mariadb import maintain, prove
from ..module_utils.procedures.step import COMMON, run_step

SERVER = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "socket": {"type": "str"},
    "login": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            depth={"type": "str", "choices": ["light", "full"], "default": "full"},
            servers={"type": "list", "elements": "dict", "options": SERVER},
            before={"type": "dict"},
            exclude={"type": "list", "elements": "str", "default": []},
            lock_wait_s={"type": "int", "default": 2},
            statement_timeout_s={"type": "int", "default": 3600},
            attempts={"type": "int", "default": 3},
            stale_days={"type": "int", "default": 30},
            bloat_bytes={"type": "int", "default": 64 << 20},
            bloat_percent={"type": "float", "default": 40},
        ),
        supports_check_mode=True,
    )
    if module.params["before"] is None:
        run_step(module, "database", "mariadb", lambda step: maintain(step, module.params))
    run_step(module, "database", "mariadb proof", lambda step: prove(step, module.params))


if __name__ == "__main__":
    main()
