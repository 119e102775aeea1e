# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that the modules share that maintain databases."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  depth:
    description: What to do; V(light) leaves out what takes long, as the description of the module says.
    type: str
    choices: [light, full]
    default: full
  before:
    description:
      - What an earlier call found, C(maintenance.found). With it nothing is changed, only proven that all is as well
        as before.
    type: dict
  lock_wait_s:
    description: How long to wait for a lock, and how long others may have to wait behind us, in seconds.
    type: int
    default: 2
  attempts:
    description: How often something is tried while others hold the lock, before it is left with a warning.
    type: int
    default: 3
  bloat_bytes:
    description: How much of a file (an index, a table) has to be empty to be worth the work, or a word.
    type: int
    default: 67108864
  bloat_percent:
    description: What share of it has to be empty as well.
    type: float
    default: 40
"""

    # Those of servers, besides.
    SERVER = r"""
options:
  exclude:
    description:
      - Patterns of tables (and indexes) that are left alone. PostgreSQL's are named C(database.schema.name), MariaDB's
        C(database.table).
    type: list
    elements: str
    default: []
  statement_timeout_s:
    description: How long a statement may take, in seconds.
    type: int
    default: 3600
"""
