"""Calls `put_back` of a source on a host, on a copy that was restored there."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fleet.host import Host

MODULE_UTILS = Path(__file__).parents[2] / "plugins" / "module_utils"
SCRIPT = """
import json, sys, time
sys.path.insert(0, "/opt/putting_back")
from module_utils.engines.base import BackupError
from module_utils.sources import registry
from module_utils.sources.base import Effects
from module_utils.state import State
asked = json.load(sys.stdin)
effects = Effects(State("/var/lib/roundsman"), [], None, lambda: None, lambda: 120.0, lambda text: text)
try:
    done = registry.source_of(asked["spec"]).put_back(asked["copy"], effects)
    print(json.dumps({"done": done}))
except BackupError as failure:
    print(json.dumps({"reason": failure.reason, "message": failure.message}))
"""


def put_back(host: Host, spec: dict[str, Any], copy: str) -> dict[str, Any]:
    """{"done": what was done}, or {"reason", "message"} of the failure."""
    packed = subprocess.run(
        ["tar", "-C", str(MODULE_UTILS.parent), "--exclude=__pycache__", "-cf", "-", "module_utils"],
        capture_output=True,
        check=True,
    )
    host.run("mkdir -p /opt/putting_back")
    unpack = [*host.ssh(), "tar -C /opt/putting_back -xf -"]
    subprocess.run(unpack, input=packed.stdout, check=True, capture_output=True)
    asked = json.dumps({"spec": spec, "copy": copy})
    said = host.run(f"python3 -c {shlex.quote(SCRIPT)}", text_in=asked, timeout=120).stdout
    result: dict[str, Any] = json.loads(said)
    return result
