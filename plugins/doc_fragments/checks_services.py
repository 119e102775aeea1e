# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    # Checks of the area services: family, and every key with its default.
    DOCUMENTATION = r"""
options: {}
notes:
  - "C(certificate), X.509 certificates stay valid: C(path), PEM files or patterns of them, or C(port) with C(host)
    (default C(localhost)), C(starttls) (C(smtp), C(imap) or C(pop3)), C(server_name) to ask for, and C(match), it has
    to be valid for that name or the host's (default C(true)). C(warn) (default C(21d)) and C(crit) (default C(7d))
    are the least time until it expires."
  - "C(containers), containers of podman and docker that failed, restart or are unhealthy: C(running), names of those
    that have to run, C(ignore), patterns of those that may fail, C(engine), C(podman) or C(docker), C(user), whose
    containers, C(warn), C(crit) (default C(0)) for the number amiss."
  - "C(listen), ports that are listened on: C(ports), such as 443 or 53/udp, C(address), at which, or C(*) for every
    address, C(program), pattern of the program that has to hold them, C(only), no other port may be reachable
    (default C(false)), C(allow), what else may listen, C(warn), C(crit) (default C(0)) for the number amiss."
  - "C(plugin), a Nagios or monitoring plugin: C(command), required, a list or words as in a shell, C(environment),
    variables for it, the place for secrets, C(user), to run it as."
  - "C(processes), number of processes that are not zombies: C(name), C(command) (the whole command line) and C(user),
    patterns that choose which to count, C(warn) and C(crit); C(memory_warn) and C(memory_crit) for the memory of all
    of them, C(oldest_warn), C(oldest_crit), C(youngest_warn) and C(youngest_crit) for their age. At least one
    threshold is required."
  - "C(software), which well-known servers run, with checks that suit them in C(details); it never alerts and has no
    keys."
  - "C(systemd), units that have failed: C(ignore), patterns of units that may fail, C(warn), C(crit) (default C(0))
    for their number. With C(unit), that this unit is active; the number is then 0 or 1; and C(restarts_warn) (default
    C(2)) and C(restarts_crit), how often systemd restarted it since the last recorded round."
  - "C(tcp), a port accepts a connection: C(host) (default C(localhost)), C(port), required, C(warn) (default C(1s))
    and C(crit) for the time that takes."
  - "C(timers), systemd timers that missed their run, do not run, or whose service failed the last time: C(timer),
    only this one, C(ignore), patterns to leave out, C(grace), how late a run may be (default C(5min)), C(longest),
    how long one may take (default C(1d)), C(warn) (default C(0)), C(crit) for the number amiss."
"""
