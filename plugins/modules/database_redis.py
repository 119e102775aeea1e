#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: database_redis
short_description: Maintain Redis by measured need while applications work
version_added: "0.2.0"
description:
  - Lets a server write its append-only file anew when that has grown, and warns of fragmented memory. No key is ever
    removed, evicted or changed.
options:
  servers:
    description:
      - The servers. Without it, all that run on this host and ask for no password.
    type: list
    elements: dict
    suboptions:
      host:
        description: Name or address of the server; C(localhost) by default.
        type: str
      port:
        description: Its port; 6379 by default.
        type: int
      socket:
        description: Its unix socket, instead of host and port.
        type: str
      username:
        description: User to log in as (Redis 6 and newer).
        type: str
      password:
        description: Password, if the server wants one.
        type: str
  before:
    description:
      - What an earlier call found, C(maintenance.found). With it nothing is done but to see that each server answers
        and can write its append-only file.
    type: list
    elements: str
  aof_factor:
    description: How many times as large as when it was written anew an append-only file has to be.
    type: float
    default: 2
  aof_bytes:
    description: How large it has to be as well.
    type: int
    default: 67108864
  bloat_bytes:
    description: How much memory has to be fragmented to be worth a word.
    type: int
    default: 67108864
extends_documentation_fragment:
  - roundsman.fleet.procedure
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Maintain the cache
  roundsman.fleet.database_redis:
    servers:
      - socket: /run/redis/redis.sock
        password: "{{ vault_redis_password }}"
"""

RETURN = r"""
maintenance:
  description: The record of this step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: database, step: redis, reclaimed_bytes: 1048576}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.database import run
from ..module_utils.procedures.database_redis import maintain, prove
from ..module_utils.procedures.step import COMMON

SERVER = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "socket": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            servers={"type": "list", "elements": "dict", "options": SERVER},
            before={"type": "list", "elements": "str"},
            aof_factor={"type": "float", "default": 2},
            aof_bytes={"type": "int", "default": 64 << 20},
            bloat_bytes={"type": "int", "default": 64 << 20},
        ),
        supports_check_mode=True,
    )
    run(module, "redis", maintain, prove)


if __name__ == "__main__":
    main()
