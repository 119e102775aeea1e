# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: regressions
short_description: Find what got worse between two looks at a host's health
version_added: "0.2.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Compares the check results of two calls of M(roundsman.fleet.health). What was amiss before is no regression as long
    as it is not worse, and neither is what takes somewhat longer. An HTTP answer that takes more than three times as
    long, and half a second more, is one.
positional: _input, before
options:
  _input:
    description: The check results after the change.
    type: list
    elements: dict
    required: true
  before:
    description: The check results before it.
    type: list
    elements: dict
    required: true
  ignored:
    description: Ids and types of checks that are not compared.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Wait until the host is as well as before
  roundsman.fleet.health:
  register: after
  until: after.checks | roundsman.fleet.regressions(before.checks) | length == 0
  retries: 5
"""

RETURN = r"""
_value:
  description: What is worse, each a mapping of check, before, after and message.
  type: list
  elements: dict
"""

from ..plugin_utils.maintenance import regressions


class FilterModule:
    """Filters of the maintenance roles."""

    def filters(self):
        return {"regressions": regressions}
