# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area resources: family, and every key with its default.
    DOCUMENTATION = r"""
notes:
  - "C(clock), how far the clock is surely off the controller's: C(warn) (default C(1s)), C(crit) (default C(30s)),
    C(unsynchronised), what a clock is that nothing synchronises, one of C(ignore), C(warning) and C(critical) (default
    C(warning))."
  - "C(cpu), share of processor time in use: C(warn) (default C(90%)), C(crit), C(sample), how long to measure
    (default C(500ms))."
  - "C(filesystem), space and inodes, of every real mount or of one path; the worst mount decides: C(path), look only
    at the filesystem that holds it, C(mounted), it is critical when nothing is mounted at C(path), C(exclude),
    patterns of mount points to leave out, C(network), network filesystems as well (default false), C(warn) (default
    C(85%)) and C(crit) (default C(95%)) for used space, C(free_warn) and C(free_crit) for free space, where a single
    number is the least that is fine, C(inodes_warn) (default C(85%)) and C(inodes_crit) (default C(95%)) for used
    inodes."
  - "C(load), load average: C(warn) (default C(2)), C(crit) (default C(4)), C(minutes), which average, one of 1, 5 and
    15 (default 15), C(per_core), divide by the number of cores (default true)."
  - "C(memory), memory in use as far as it is not available: C(warn) (default C(90%)), C(crit) (default C(95%))."
  - "C(swap), swap space in use: C(warn) (default C(60%)), C(crit) (default C(90%))."
  - "C(uptime), time since boot: C(warn), C(crit), C(reboot_required), what a required reboot is, one of C(ignore),
    C(warning) and C(critical) (default C(warning))."
"""
