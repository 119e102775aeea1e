#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: caches
short_description: Remove what can be had again, to make room
version_added: "0.2.0"
description:
  - Removes downloaded packages, archived journals, old temporary files, old kernels, unused container images, and old
    files of caches. Each kind has an option of its own, and what is not on the host is passed over.
  - Nothing is removed outside the directories that are named. Links are not followed and mounts not crossed, whatever
    is renamed meanwhile, and there are places that nobody can name, such as C(/etc), C(/usr), C(/boot), home
    directories and the data of databases. See docs/maintenance.md of the collection.
  - One kind that fails keeps no other from being done; the module then fails at the end.
extends_documentation_fragment:
  - roundsman.fleet.procedure
options:
  packages:
    description: Remove the packages that apt and dnf have downloaded. Their lists of packages stay.
    type: bool
    default: false
  journal_size:
    description: Keep this much of archived journals, for example V(1GiB).
    type: str
  journal_age:
    description: Keep archived journals for so long, for example V(90d).
    type: str
  temporary:
    description: Have C(systemd-tmpfiles --clean) remove the files that its rules call too old.
    type: bool
    default: false
  kernels:
    description:
      - Remove packages of old kernels, with apt those that nobody asked for, as C(apt-get autoremove) would. Never the
        running kernel, and never the newest.
    type: bool
    default: false
  kernels_keep:
    description: How many kernels to keep besides the running and the newest one.
    type: int
    default: 1
  homes:
    description: Caches in the home directories of root and of people, as paths relative to them.
    type: list
    elements: str
    default: []
  homes_older_than:
    description: Files of those caches go when nobody read or wrote them for so long.
    type: str
    default: 30d
  images:
    description: Container images of docker and podman to remove; V(dangling) are those without a name.
    type: str
    choices: [none, dangling, all]
    default: none
  images_older_than:
    description: Only those that were made so long ago, for example V(1d), so that nothing of a build at work goes.
    type: str
  build_cache_older_than:
    description: What docker's builds left, and nobody used for so long, goes.
    type: str
  directories:
    description: Directories of caches. All that is in them can be had again.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory itself, not a link to it.
        type: str
        required: true
      older_than:
        description: Files go when nobody read or wrote them for so long, for example V(12h), V(30d) or V(2w).
        type: str
      keep_size:
        description: Of more than this, for example V(2GiB), the files go that nobody used for longest.
        type: str
      remove_empty:
        description: Directories that this leaves empty go as well.
        type: bool
        default: false
  evict:
    description: Servers that keep a cache in memory. Each has either O(evict[].redis) or O(evict[].memcached).
    type: list
    elements: dict
    default: []
    suboptions:
      redis:
        description: Host and port, or the path of a socket.
        type: str
      memcached:
        description: Host and port. All items are removed.
        type: str
      match:
        description: The keys to remove, as a glob pattern of Redis. Required with O(evict[].redis); V(*) for all.
        type: str
      database:
        description: The number of Redis' database.
        type: int
        default: 0
      username:
        description: User of Redis.
        type: str
      password:
        description: Password of Redis.
        type: str
  verify:
    description: Remove nothing, and see whether the kernels that the host may boot next are whole.
    type: bool
    default: false
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Make room
  roundsman.fleet.caches:
    packages: true
    journal_size: 1GiB
    directories:
      - {path: /var/cache/shop, older_than: 30d, keep_size: 2GiB}

- name: Forget what the shop caches in Redis
  roundsman.fleet.caches:
    evict:
      - {redis: "localhost:6379", match: "shop:cache:*", password: "{{ vault_redis_password }}"}
"""

RETURN = r"""
maintenance:
  description: What was done or would be, as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample:
    procedure: caches
    step: clean
    reclaimed_bytes: 1288490188
    actions:
      - {action: remove, target: /var/cache/shop, size_bytes: 1288490188, detail: 312 files, outcome: done}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.caches import clean, prove
from ..module_utils.procedures.step import COMMON, run_step

DIRECTORY = {
    "path": {"type": "str", "required": True},
    "older_than": {"type": "str"},
    "keep_size": {"type": "str"},
    "remove_empty": {"type": "bool", "default": False},
}
EVICTION = {
    "redis": {"type": "str"},
    "memcached": {"type": "str"},
    "match": {"type": "str"},
    "database": {"type": "int", "default": 0},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            packages={"type": "bool", "default": False},
            journal_size={"type": "str"},
            journal_age={"type": "str"},
            temporary={"type": "bool", "default": False},
            kernels={"type": "bool", "default": False},
            kernels_keep={"type": "int", "default": 1},
            homes={"type": "list", "elements": "str", "default": []},
            homes_older_than={"type": "str", "default": "30d"},
            images={"type": "str", "choices": ["none", "dangling", "all"], "default": "none"},
            images_older_than={"type": "str"},
            build_cache_older_than={"type": "str"},
            directories={"type": "list", "elements": "dict", "options": DIRECTORY, "default": []},
            evict={
                "type": "list",
                "elements": "dict",
                "options": EVICTION,
                "required_one_of": [("redis", "memcached")],
                "mutually_exclusive": [("redis", "memcached")],
                "default": [],
            },
            verify={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    verify = module.params["verify"]
    run_step(module, "caches", "verify" if verify else "clean", prove if verify else clean)


if __name__ == "__main__":
    main()
