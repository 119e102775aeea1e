# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that all modules share that do a step of a maintenance procedure."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lease:
    description:
      - The number of the lease under which this step is done, as M(roundsman.fleet.maintenance_lease) gave it. A step
        of a lease that another one came after is refused.
      - Without it the step is done for itself, and refused while a run of C(roundsman.fleet.maintain) holds the host.
    type: int
  state_dir:
    description:
      - Roundsman's private directory on the host, for locks and for the journal of what is done.
      - Defaults to C(/var/lib/roundsman) for root and to C(~/.local/state/roundsman) for any other user.
    type: path
  timeout_s:
    description:
      - How long the step may take on the host, in seconds, whatever became of the controller.
    type: int
    default: 3600
  lock_timeout_s:
    description:
      - How long to wait for another step of maintenance on this host to end, in seconds.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    description: Says what would be done, and changes nothing.
  diff_mode:
    support: none
    description: What is done, or would be, is listed as actions.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
notes:
  - Needs Python 3.8 or newer on the host.
"""
