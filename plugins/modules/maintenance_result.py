#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_result
short_description: Say what came of a maintenance procedure on a host
version_added: "0.2.0"
description:
  - Gives the lease of the host back and puts together what was done under it, what became of the host's health, and how
    the procedure ended. The ledger callback records it.
  - It never fails because the procedure did; the role C(roundsman.fleet.maintain) does that.
options:
  procedure:
    description: Which procedure it was.
    type: str
    required: true
  phase:
    description: How far it came.
    type: str
    choices: [pre-check, backup, execute, verify]
    required: true
  lease:
    description: The lease to give back; without it none was taken.
    type: int
  began_at:
    description: When the procedure began, in seconds since 1970 by the controller's clock.
    type: float
    required: true
  failure:
    description:
      - What ended it early, a mapping of C(msg) and, when a module of Roundsman failed, C(reason); C(step) is true when
        that was a step of the procedure, whose actions are in the journal of the lease.
    type: dict
  before:
    description: Check results before the procedure.
    type: list
    elements: dict
    default: []
  after:
    description: Check results after it.
    type: list
    elements: dict
    default: []
  ignored:
    description: Ids and types of checks that the procedure may make worse.
    type: list
    elements: str
    default: []
  backup:
    description: What was saved before, a mapping of C(status) (C(made), C(skipped), C(none)) and C(snapshots).
    type: dict
    default: {}
  rollback:
    description: What became of a rollback; V(none) when the procedure has none.
    type: str
    choices: [done, failed, none]
  warnings:
    description: What an administrator should know, although the procedure went through.
    type: list
    elements: str
    default: []
  previous:
    description: What steps of an earlier run had done that died while it held the host.
    type: list
    elements: dict
    default: []
  planned:
    description: In check mode, the records of the steps, which no journal has.
    type: list
    elements: dict
    default: []
  state_dir:
    description: Roundsman's private directory on the host.
    type: path
attributes:
  check_mode:
    support: full
    description: Nothing is given back, for nothing was taken.
  diff_mode:
    support: none
    description: Nothing is changed.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Conclude
  roundsman.fleet.maintenance_result:
    procedure: caches
    phase: verify
    lease: "{{ held.lease.number }}"
    began_at: "{{ began_at }}"
"""

RETURN = r"""
maintenance:
  description: The record of the procedure as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: caches, status: completed, reclaimed_bytes: 1048576}
"""
