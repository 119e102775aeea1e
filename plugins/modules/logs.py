#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: logs
short_description: See that logs are rotated, and that old ones do not pile up
version_added: "0.2.0"
description:
  - Has logrotate judge its own configuration, and rotates nothing while that is broken.
  - Rotates what is due, with logrotate's own state, and looks for processes that still write to a log that was rotated
    or deleted.
  - Finds logs that grow and that no stanza matches, and proposes a stanza for each.
  - Compresses and removes old logs by rules. Files that are written to, and the logs that stanzas name, always stay.
extends_documentation_fragment:
  - roundsman.fleet.procedure
options:
  config:
    description: The configuration of logrotate.
    type: path
    default: /etc/logrotate.conf
  rotate:
    description: Rotate what is due.
    type: bool
    default: true
  compress:
    description:
      - Compress rotated logs that were left as they are though others of the same log are compressed, two days after
        they were last written to.
    type: bool
    default: true
  retention:
    description: Rules for old logs that logrotate does not look after.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: An absolute pattern, with V(*), V(?) and V([]) in each name of it.
        type: str
        required: true
      compress_after:
        description: Compress what was not written to for so long, for example V(2d).
        type: str
      remove_after:
        description: Remove what was not written to for so long, for example V(90d).
        type: str
  reopen:
    description:
      - Unit -> what to do when it still writes to a log that was rotated or deleted, V(reload), V(restart), or a
        signal, V(HUP), V(USR1) or V(USR2). Other units are only told of.
    type: dict
    default: {}
  directories:
    description: Where to look for logs that nobody rotates.
    type: list
    elements: str
    default: [/var/log]
  unrotated_size:
    description: A log that nobody rotates is told of from this size on, if it was written to in the last week.
    type: str
    default: 50MiB
  unrotated_exclude:
    description: Patterns of paths that are not told of.
    type: list
    elements: str
    default: []
  stanza:
    description: What to propose for logs that nobody rotates, line by line.
    type: list
    elements: str
    default: [weekly, rotate 8, missingok, notifempty, compress, delaycompress, copytruncate]
  install:
    description: Write the stanzas into O(install_into). One that logrotate refuses is taken back, with a warning.
    type: bool
    default: false
  install_into:
    description: The directory that logrotate's configuration includes.
    type: path
    default: /etc/logrotate.d
  giant_size:
    description: With O(verify), a log that is not let go of is a failure from this size on.
    type: str
    default: 100MiB
  verify:
    description: Change nothing, and see whether the configuration is sound and writers reopened their logs.
    type: bool
    default: false
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Rotate what is due, and keep old logs of the shop for three months
  roundsman.fleet.logs:
    retention:
      - {path: /var/log/shop/*/access-*.log, compress_after: 2d, remove_after: 90d}
    reopen: {shop.service: reload}
"""

RETURN = r"""
maintenance:
  description: What was done or would be, as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample:
    procedure: logs
    step: tend
    actions:
      - {action: rotate, target: /var/log/shop/app.log, size_bytes: 90112, detail: null, outcome: done}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.procedures.logs import prove, tend
from ..module_utils.procedures.step import COMMON, run_step

RULE = {
    "path": {"type": "str", "required": True},
    "compress_after": {"type": "str"},
    "remove_after": {"type": "str"},
}
STANZA = ["weekly", "rotate 8", "missingok", "notifempty", "compress", "delaycompress", "copytruncate"]


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            config={"type": "path", "default": "/etc/logrotate.conf"},
            rotate={"type": "bool", "default": True},
            compress={"type": "bool", "default": True},
            retention={"type": "list", "elements": "dict", "options": RULE, "default": []},
            reopen={"type": "dict", "default": {}},
            directories={"type": "list", "elements": "str", "default": ["/var/log"]},
            unrotated_size={"type": "str", "default": "50MiB"},
            unrotated_exclude={"type": "list", "elements": "str", "default": []},
            stanza={"type": "list", "elements": "str", "default": STANZA},
            install={"type": "bool", "default": False},
            install_into={"type": "path", "default": "/etc/logrotate.d"},
            giant_size={"type": "str", "default": "100MiB"},
            verify={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    verify = module.params["verify"]
    run_step(module, "logs", "verify" if verify else "tend", prove if verify else tend)


if __name__ == "__main__":
    main()
