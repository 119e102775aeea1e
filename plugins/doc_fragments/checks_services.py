# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area services: family, and every key with its default.
    DOCUMENTATION = r"""
notes:
  - "C(processes), number of processes that are not zombies: C(name) and C(user), patterns that choose which to count,
    C(warn) and C(crit), of which at least one is required."
  - "C(systemd), units that have failed: C(ignore), patterns of units that may fail, C(warn), C(crit) (default C(0))
    for their number. With C(unit), that this unit is active; the number is then 0 or 1."
  - "C(tcp), a port accepts a connection: C(host) (default C(localhost)), C(port), required, C(warn) (default C(1s))
    and C(crit) for the time that takes."
"""
