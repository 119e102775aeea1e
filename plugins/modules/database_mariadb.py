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
    done while others write is left with a warning. Tables of other engines are left alone.
options:
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
  stale_days:
    description: Analyze a table that was written to since it was analyzed, if that was so many days ago.
    type: int
    default: 30
extends_documentation_fragment:
  - roundsman.fleet.database
  - roundsman.fleet.database.server
  - roundsman.fleet.procedure
requirements:
  - the client mariadb (or mysql) on the host
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Maintain two servers of a host, one of them as another account than root through the socket
  roundsman.fleet.database_mariadb:
    servers:
      - socket: /run/mysqld/mysqld.sock
      - host: 127.0.0.1
        port: 3307
        login: upkeep
        password: "{{ vault_upkeep_password }}"
"""

RETURN = r"""
maintenance:
  description: The record of this step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: database, step: mariadb, reclaimed_bytes: 1048576}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.database import SERVER_OPTIONS, run
from ..module_utils.procedures.database_mariadb import maintain, prove

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
            SERVER_OPTIONS,
            servers={"type": "list", "elements": "dict", "options": SERVER},
            stale_days={"type": "int", "default": 30},
        ),
        supports_check_mode=True,
    )
    run(module, "mariadb", maintain, prove)


if __name__ == "__main__":
    main()
