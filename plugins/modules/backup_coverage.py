#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_coverage
short_description: Find data on a host that no source of backups saves
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Looks for databases (PostgreSQL, MariaDB, Redis, SQLite) and for directories that are not the operating system's,
    and compares them with the definitions of sources.
  - What could not be looked at is C(unknown) with a remedy; it never counts as covered.
  - The walk is bounded in entries and in time, follows no links and stays on each filesystem.
extends_documentation_fragment:
  - roundsman.fleet.read_only
options:
  sources:
    description:
      - The definitions of the host's sources, as the module M(roundsman.fleet.backup) takes them.
    type: list
    elements: dict
    default: []
  ignore:
    description:
      - What nobody wants back, and why.
    type: list
    elements: dict
    default: []
    suboptions:
      pattern:
        description:
          - A shell pattern of a path, or of C(kind:name) for databases, such as C(postgresql:test_*).
          - A C(*) matches slashes, too.
        type: str
        required: true
      reason:
        description:
          - Why; it is shown in reports.
        type: str
        required: true
  repository:
    description:
      - The host's repository; when it is a path on the host it is not looked into.
    type: str
  state_dir:
    description:
      - Roundsman's directory on the host, which is not looked into. See M(roundsman.fleet.backup).
    type: path
  max_entries:
    description:
      - How many directory entries to look at.
    type: int
    default: 500000
  timeout_s:
    description:
      - How long the walk may take, in seconds. Each server has 15 s more to answer.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Find what no source saves
  roundsman.fleet.backup_coverage:
    sources: "{{ roundsman_backups }}"
    ignore:
      - {pattern: /srv/scratch, reason: can be computed again}
      - {pattern: "postgresql:test_*", reason: made anew by every test}
"""

RETURN = r"""
coverage:
  description: What was found, as docs/records.md describes it.
  returned: success
  type: dict
  sample:
    findings:
      - {kind: postgresql, name: shop, status: gap, sources: [], reason: no source saves it, size_bytes: 8012345}
    sources:
      - {id: etc, type: files, plan: {every_s: 86400}}
    duration_s: 0.4
    reason: null
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import discovery, discovery_servers, mounts
from ..module_utils.coverage import judged
from ..module_utils.redaction import without_credentials
from ..module_utils.repository import local_path
from ..module_utils.sources import registry
from ..module_utils.sources.plan import plan_of
from ..module_utils.state import own_directory


def found_on_host(params):
    """Everything that somebody may want back."""
    deadline = time.monotonic() + params["timeout_s"]
    mounted, _fstab = mounts.read_mounts()
    own = [params["state_dir"] or own_directory()]
    repository = local_path(params["repository"] or "")
    walk = discovery.Walk(
        params["max_entries"],
        lambda: time.monotonic() > deadline,
        own + ([os.fsdecode(repository)] if repository else []),
        mounted,
    ).look(discovery.candidates(mounted))
    findings = walk.findings + discovery.remote(mounted)
    for kind, ask in (("postgresql", discovery_servers.postgresql), ("mariadb", discovery_servers.mariadb)):
        for directory in sorted(place for found, place in walk.servers if found == kind):
            findings += ask(directory)
    return findings + discovery_servers.redis([place for found, place in walk.servers if found == "redis"])


def main():
    module = AnsibleModule(
        argument_spec={
            # Definitions may hold secrets, which the host's log is not for.
            "sources": {"type": "list", "elements": "dict", "default": [], "no_log": True},
            "ignore": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"pattern": {"type": "str", "required": True}, "reason": {"type": "str", "required": True}},
            },
            "repository": {"type": "str"},
            "state_dir": {"type": "path"},
            "max_entries": {"type": "int", "default": 500000},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    registry.require_sound(module, params["sources"])
    started = time.monotonic()
    findings = judged(found_on_host(params), params["sources"], params["ignore"])
    record = {
        "findings": sorted(findings, key=lambda one: (one["kind"], one["name"])),
        "sources": [
            {"id": spec["id"], "type": spec.get("type", "files"), "plan": plan_of(spec)} for spec in params["sources"]
        ],
        "kinds": sorted(registry.KINDS),
        "repository": without_credentials(params["repository"]) if params["repository"] else None,
        "duration_s": round(time.monotonic() - started, 3),
    }
    amiss = sum(one["status"] in ("gap", "unknown") for one in findings)
    module.exit_json(changed=False, msg="{0} found, {1} not covered".format(len(findings), amiss), coverage=record)


if __name__ == "__main__":
    main()
