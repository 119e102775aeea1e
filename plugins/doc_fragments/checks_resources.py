# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area resources: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(clock), how far the clock is surely off the controller's: C(warn) (default C(1s)), C(crit) (default C(30s)),
    C(unsynchronised), what a clock is that nothing synchronises, one of C(ignore), C(warning) and C(critical) (default
    C(warning))."
  - "C(cpu), share of processor time in use: C(warn) (default C(90%)), C(crit), C(iowait_warn) and C(iowait_crit)
    for the share in which they waited for disks, C(steal_warn) and C(steal_crit) for what the hypervisor gave to
    others, C(sample), how long to measure (default C(500ms))."
  - "C(descriptors), file handles of the system and the process closest to its own limit of open files: C(warn)
    (default C(80%)), C(crit) (default C(95%)), C(process_warn) (default C(80%)) and C(process_crit) (default
    C(95%)) for the process."
  - "C(disk_io), how busy disks are and how long a request takes, since the last recorded round or over a sample:
    C(devices), names or patterns of block devices instead of all disks, C(warn) (default C(95%)) and C(crit) for
    the share of time in which a disk was busy, C(latency_warn) (default C(200ms)) and C(latency_crit) for a
    request, C(sample), how long to measure where no earlier round is known (default C(500ms))."
  - "C(filesystem), space and inodes, of every real mount or of one path; the worst mount decides: C(path), look only
    at the filesystem that holds it, C(mounted), it is critical when nothing is mounted at C(path), C(exclude),
    patterns of mount points to leave out, C(network), network filesystems as well (default false), C(warn) (default
    C(85%)) and C(crit) (default C(95%)) for used space, C(free_warn) and C(free_crit) for free space, where a single
    number is the least that is fine, C(inodes_warn) (default C(85%)) and C(inodes_crit) (default C(95%)) for used
    inodes, C(read_only), what a filesystem that became read-only is, one of C(ignore), C(warning) and C(critical)
    (default C(critical))."
  - "C(load), load average: C(warn) (default C(2)), C(crit) (default C(4)), C(minutes), which average, one of 1, 5 and
    15 (default 15), C(per_core), divide by the number of cores (default true)."
  - "C(memory), memory in use as far as it is not available: C(warn) (default C(90%)), C(crit) (default C(95%))."
  - "C(network), errors and drops of interfaces, since the last recorded round or over a sample: C(interface), look
    only at this one, which has to be up, C(exclude), patterns of interfaces to leave out (default C(lo, veth*,
    docker*, br-*, virbr*, vnet*, cali*, cni*, flannel*, tun*, tap*, ifb*, wg*)), C(warn) (default C(1/min)) and C(crit)
    for errors, C(drops_warn) (default C(10/s)) and C(drops_crit) for packets dropped, C(sample), how long to
    measure where no earlier round is known (default C(500ms))."
  - "C(pressure), share of time in which work stood still for want of something: C(seconds), over how many, one of
    10, 60 and 300 (default 60), and for some tasks C(cpu_warn) (default C(90%)), C(cpu_crit), C(memory_warn)
    (default C(20%)), C(memory_crit), C(io_warn), C(io_crit), for all tasks C(memory_full_warn) (default C(10%)),
    C(memory_full_crit) (default C(50%)), C(io_full_warn) (default C(90%)), C(io_full_crit)."
  - "C(raid), Linux software RAID: C(warn) and C(crit) (default C(0)) for members that an array lacks and that
    nothing rebuilds, C(rebuilding), what an array is that is being rebuilt, one of C(ignore), C(warning) and
    C(critical) (default C(warning))."
  - "C(reclaimable), bytes that archived journals and downloaded packages hold: C(warn) and C(crit), sizes."
  - "C(smart), what disks say of their own health, asked with smartctl as root: C(devices), disks to ask instead of
    all, C(warn) (default C(0)) and C(crit) (default C(100)) for lost sectors or media errors of a disk,
    C(wear_warn) (default C(80%)) and C(wear_crit) (default C(100%)) for the used share of the lifetime of NVMe
    disks, C(temperature_warn) (default C(60)) and C(temperature_crit) (default C(70)) in degrees Celsius."
  - "C(swap), used swap space and its traffic: C(warn) (default C(90%)), C(crit), C(rate_warn) (default C(1000/s))
    and C(rate_crit) for the pages that go in and out, since the last recorded round or over C(sample) (default
    C(500ms))."
  - "C(updates), pending updates of apt or dnf: C(warn) (default C(0)) and C(crit) for security updates, C(all_warn)
    and C(all_crit) for all, C(lists_age), how old the package lists may be (default C(7d)), C(stale), what older
    lists make of the answer, one of C(ignore), C(warning) and C(unknown) (default C(unknown))."
  - "C(uptime), time since boot: C(warn), C(crit), C(reboot_required), what a required reboot is, one of C(ignore),
    C(warning) and C(critical) (default C(warning))."
  - "C(zombies), processes that have ended and whose parents do not ask how: C(warn) (default C(10)), C(crit)."
"""
