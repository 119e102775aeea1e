"""Checks sent to a host as the action plugin sends them, and units of systemd for them to look at."""

from __future__ import annotations

import json
import subprocess

from ansible_collections.roundsman.fleet.plugins.module_utils.lean import MARKER
from ansible_collections.roundsman.fleet.plugins.plugin_utils.parcel import parcel, script

# Of a check that has no limit of its own: tests of other hosts are at work on the same machine.
PATIENCE_S = 60


def look(host, *checks, user="ops", left=None):
    """The results of checks, sent as the action plugin sends them; bookmarks are read from and written to `left`."""
    left = {} if left is None else left
    parameters = {"checks": list(checks), "timeout_s": PATIENCE_S, "psutil": "host", "bookmarks": left}
    command = [*host.ssh(user), script(["/usr/bin/python3"])]
    done = subprocess.run(command, input=parcel(parameters), capture_output=True, timeout=180, check=True)
    answer = json.loads(done.stdout.decode().rpartition(MARKER)[2])
    left.update(answer["bookmarks"])
    return answer["checks"]


def one(host, check, **how):
    (result,) = look(host, check, **how)
    return result


def look_until(look_once, condition):
    """The first of a few results for which the condition holds, or the last one."""
    for _time in range(30):
        result = look_once()
        if condition(result):
            break
    return result


def verdict(result):
    return result["status"], result["message"]


def service(command, *, more="", unit=""):
    return f"[Unit]\n{unit}\n[Service]\nExecStart={command}\n{more}\n"


def add_units(host, units, then):
    """Write units (name -> content) and run a command, all in one SSH connection."""
    write = (
        "import json, sys; [open(f'/etc/systemd/system/{n}', 'w').write(t) for n, t in json.load(sys.stdin).items()]"
    )
    host.run(f'python3 -c "{write}" && systemctl daemon-reload && {then}', text_in=json.dumps(units))
