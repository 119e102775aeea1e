"""Nagios itself, for one check of one service."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.debian import unpacked

PATIENCE_S = 180

MAIN = """
cfg_file={0}/objects.cfg
log_file={0}/nagios.log
status_file={0}/status.dat
object_cache_file={0}/objects.cache
precached_object_file={0}/objects.pre
state_retention_file={0}/retention.dat
temp_file={0}/nagios.tmp
temp_path={0}
check_result_path={0}/spool
lock_file={0}/nagios.lock
command_file={0}/nagios.cmd
query_socket={0}/nagios.qh
nagios_user=root
nagios_group=root
status_update_interval=1
service_inter_check_delay_method=n
service_check_timeout=150
enable_notifications=0
use_syslog=0
check_for_updates=0
"""

OBJECTS = """
define command {{
  command_name look
  command_line {0}/plugin
}}
define timeperiod {{
  timeperiod_name never
  alias never
}}
define timeperiod {{
  timeperiod_name always
  alias always
  sunday 00:00-24:00
  monday 00:00-24:00
  tuesday 00:00-24:00
  wednesday 00:00-24:00
  thursday 00:00-24:00
  friday 00:00-24:00
  saturday 00:00-24:00
}}
define contact {{
  contact_name nobody
  host_notification_period never
  service_notification_period never
  host_notification_commands look
  service_notification_commands look
}}
define host {{
  host_name web1
  address 127.0.0.1
  max_check_attempts 1
  check_period never
  notification_period never
  contacts nobody
}}
define service {{
  host_name web1
  service_description health
  check_command look
  max_check_attempts 1
  check_interval 60
  retry_interval 60
  check_period always
  notification_period never
  contacts nobody
}}
"""


def check_once(folder: Path, command: Sequence[str]) -> dict[str, str]:
    """What Nagios' status file says of a service after its plugin, `command`, ran once."""
    (folder / "spool").mkdir()
    plugin = folder / "plugin"
    plugin.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
    plugin.chmod(0o755)
    (folder / "objects.cfg").write_text(OBJECTS.format(folder))
    (folder / "nagios.cfg").write_text(MAIN.format(folder))
    program = unpacked("nagios4-core") / "usr/sbin/nagios4"
    daemon = subprocess.Popen([program, folder / "nagios.cfg"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and daemon.poll() is None:
            status = _service(folder / "status.dat")
            if status.get("has_been_checked") == "1":
                return status
            time.sleep(0.5)
    finally:
        daemon.terminate()
        said = daemon.communicate(timeout=120)[0].decode()
    raise AssertionError(said)


def _service(status_file: Path) -> dict[str, str]:
    text = status_file.read_text() if status_file.exists() else ""
    block = re.search(r"^servicestatus \{\n(.*?)^\s*\}", text, re.MULTILINE | re.DOTALL)
    return dict(line.strip().split("=", 1) for line in block[1].splitlines() if "=" in line) if block else {}
