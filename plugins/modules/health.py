#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: health
short_description: Check the health of a host
extends_documentation_fragment:
  - roundsman.fleet.checks_services
  - roundsman.fleet.checks_resources
  - roundsman.fleet.checks_api
  - roundsman.fleet.checks_errors
  - roundsman.fleet.checks_queues
  - roundsman.fleet.checks_throughput
version_added: "0.1.0"
description:
  - Runs a list of checks on the host, all at once and in one round trip, and returns a result with a status for each.
  - It only reads and never changes the host. That a host is unwell is a result, not a failure of the task.
  - The task fails when the checks are not valid, and then none of them has run; all faults are named at once.
options:
  checks:
    description:
      - The checks, each a mapping. The keys of every family are under I(Notes).
      - Without them, those of the variables C(roundsman_default_checks) and C(roundsman_checks), which are merged by
        C(id) over all groups of the host, as the README of the role C(roundsman.fleet.health) says.
    type: list
    elements: dict
  timeout_s:
    description:
      - Time limit of each check in seconds. A check without an answer by then is C(UNKNOWN), and the others do not
        wait for it.
    type: float
    default: 10.0
  psutil:
    description:
      - What to do about the Python library psutil, which the checks C(cpu), C(memory), C(processes) and C(swap) need.
      - The library of the host is always preferred.
    type: str
    choices:
      carry: Where the host has none, keep a copy of the controller's in C(~/.cache/roundsman) of the user that checks.
      host: Use only the host's own; the checks that need a missing library are C(UNKNOWN).
    default: carry
  bookmarks:
    description:
      - What checks that go on where they stopped (in a log, with a counter) returned on an earlier call, by their ids.
      - Left empty, it is what the C(roundsman.fleet.ledger) callback kept of the last recorded round.
    type: dict
    default: {}
notes:
  - "Keys of every check: C(type), the family, required; C(id), a name that is unique on its host, by default the type
    and what is looked at; C(timeout), its own time limit; C(optional), where what it looks
    at is not on the host, give no result instead of C(UNKNOWN) (default false); C(attempts), how many rounds in a row
    it has to be amiss before it alerts (default 1); C(recovery), how long it has to be fine before its alert is
    resolved; C(runbook_url), an http(s) address of what to do about it, to which alerts link; C(from), where checks of
    the network look from, C(host) or C(controller) (default C(host))."
  - "Thresholds are Nagios ranges: C(10) is fine from 0 to 10, C(10:) from 10 upwards, C(~:10) up to 10, C(10:20) from
    10 to 20, C(@10:20) outside 10 to 20. Put them in quotes, or YAML takes C(10:20) for a time of day. C(null) means
    no threshold."
  - "Bounds take units: C(80%); sizes C(500M), C(10GiB), C(1.5TB), of which K, M, G, T, P and KiB, MiB, ... are powers
    of 1024 and kB, MB, ... powers of 1000; durations C(300ms), C(30s), C(5min), C(2h), C(7d), C(1w); rates C(10/s),
    C(5/min), C(1/h), C(10MB/s)."
  - The controller sends a small script over the connection's standard input, which costs the host a fraction of an
    ordinary module. Where a connection or become plugin cannot do that, or with the variable
    C(roundsman_health_transport=module), the same code runs as an ordinary module; that carries no copy of psutil,
    but uses one that is there.
  - Needs Python 3.8 or newer on the host. Without C(ansible_python_interpreter) the usual places are tried.
author:
  - Roundsman contributors (@roundsman)
attributes:
  check_mode:
    description: Can run in check mode and return the same, as it changes nothing.
    support: full
  diff_mode:
    description: Returns what changed in diff mode.
    support: N/A
"""

EXAMPLES = r"""
- name: See whether the host is well
  roundsman.fleet.health:
    checks:
      - {type: load}
      - {type: memory, warn: 80%}
      - {type: filesystem}
      - {id: data-disk, type: filesystem, path: /srv/data, mounted: true, free_warn: 50GiB, free_crit: 10GiB}
      - {type: systemd}
      - {type: systemd, unit: nginx.service}
      - {type: processes, name: "gunicorn*", user: shop, warn: "4:8", crit: "1:"}
      - {id: shop, type: http, url: "https://shop.example/health", contains: ready, warn: 500ms, crit: 3s}
      - {type: uptime}
  register: health

- name: Stop when it is not
  ansible.builtin.assert:
    that: health.worst == "OK"
    fail_msg: "{{ health.checks | rejectattr('status', 'eq', 'OK') | map(attribute='message') | join('; ') }}"
"""

RETURN = r"""
routing:
  description: What the inventory says of the host that its alerts are routed by, from the action plugin.
  returned: success
  type: dict
  contains:
    labels:
      description: C(roundsman_labels), as texts.
      type: dict
      returned: always
    depends_on:
      description: Names or addresses from C(roundsman_depends_on) and of the jump hosts in the arguments of SSH.
      type: list
      elements: str
      returned: always
    address:
      description: C(ansible_host).
      type: str
      returned: always
checks:
  description: One result per check, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Name of the check, unique on its host.
      type: str
      returned: always
    type:
      description: Its family.
      type: str
      returned: always
    area:
      description: What the family is about - services, resources, api, errors, queues or throughput.
      type: str
      returned: always
    target:
      description: What was looked at; may be empty.
      type: str
      returned: always
    status:
      description: C(OK), C(WARNING), C(CRITICAL), or C(UNKNOWN) when the check could not look.
      type: str
      returned: always
    value:
      description: The measurement that the thresholds judge, or null.
      type: float
      returned: always
    unit:
      description: C(%), C(s), C(B), or empty for a count.
      type: str
      returned: always
    warn:
      description: The threshold for a warning as written, or null.
      type: str
      returned: always
    crit:
      description: The threshold for a critical finding as written, or null.
      type: str
      returned: always
    message:
      description: One line for a person.
      type: str
      returned: always
    remedy:
      description: What to do when the check could not look, or null.
      type: str
      returned: always
    perfdata:
      description: Nagios performance data.
      type: str
      returned: always
    details:
      description: More about what was found, for machines; often empty.
      type: dict
      returned: always
    attempts:
      description: How many rounds in a row it has to be amiss before it alerts.
      type: int
      returned: always
    recovery_s:
      description: How long it has to be fine before its alert is resolved.
      type: float
      returned: always
    duration_s:
      description: How long the check took.
      type: float
      returned: always
    runbook_url:
      description: Address of what to do about it.
      type: str
      returned: when the check has one
  sample:
    - id: filesystem
      type: filesystem
      area: resources
      target: ""
      status: CRITICAL
      value: 97.2
      unit: "%"
      warn: 85%
      crit: 95%
      message: /var 97% used (crit 95%), 1.2 GiB free
      remedy: null
      perfdata: "'/var'=97.2%;85;95;0;100 '/var used'=43208212480B;;;0;44453314560 '/var inodes'=12.1%;85;95;0;100"
      details: {}
      attempts: 1
      recovery_s: 0.0
      duration_s: 0.002
worst:
  description: The worst status, by CRITICAL, UNKNOWN, WARNING, OK.
  returned: success
  type: str
  sample: CRITICAL
psutil:
  description: Which psutil was used, or why there is none.
  returned: success
  type: str
  sample: host 5.9.4
bookmarks:
  description: What checks want to be given on the next call, by their ids.
  returned: success
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.checks import (
    access_log,
    celery,
    certificate,
    clock,
    containers,
    cpu,
    descriptors,
    disk_io,
    filesystem,
    http,
    journal,
    listen,
    load,
    logfile,
    mariadb,
    memory,
    network,
    plugin,
    postfix,
    postgresql,
    pressure,
    processes,
    prometheus,
    rabbitmq,
    raid,
    reclaimable,
    redis,
    smart,
    software,
    spool,
    swap,
    systemd,
    tcp,
    throughput,
    timers,
    updates,
    uptime,
    zombies,
)
from ..module_utils.health import ARGUMENT_SPEC, prepare, sweep

# Families are loaded by name; naming them here is what makes Ansible ship them.
SHIPPED = (
    access_log,
    celery,
    certificate,
    clock,
    containers,
    cpu,
    descriptors,
    disk_io,
    filesystem,
    http,
    journal,
    listen,
    load,
    logfile,
    mariadb,
    memory,
    network,
    plugin,
    postfix,
    postgresql,
    pressure,
    processes,
    prometheus,
    rabbitmq,
    raid,
    reclaimable,
    redis,
    smart,
    software,
    spool,
    swap,
    systemd,
    tcp,
    throughput,
    timers,
    updates,
    uptime,
    zombies,
)


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    specs, faults = prepare(module.params)
    if faults:
        module.fail_json(msg="these health checks cannot run, so none did:\n- " + "\n- ".join(faults))
    module.exit_json(changed=False, **sweep(specs, module.params))


if __name__ == "__main__":
    main()
