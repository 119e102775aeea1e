"""Calls a source's own methods on a host, without a playbook around them."""

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
import json, sys
sys.path.insert(0, "/opt/roundsman")
from module_utils.engines.base import BackupError
from module_utils.sources import registry
from module_utils.sources.base import Effects
from module_utils.state import State
spec, method, arguments, spool_dir = json.loads(sys.argv[1])
effects = Effects(State("/var/lib/roundsman"), [], spool_dir, lambda: None, lambda: 120.0, lambda text: text)
source = registry.source_of(spec)
try:
    print(json.dumps({"done": getattr(source, method)(*arguments, effects)}, default=str))
except BackupError as failure:
    print(json.dumps({"reason": failure.reason, "message": failure.message}))
finally:
    source.cleanup()
"""


def install(host: Host) -> None:
    """Put there what `call` runs."""
    tar = ["tar", "-C", str(MODULE_UTILS.parent), "--exclude=__pycache__", "-cf", "-", "module_utils"]
    packed = subprocess.run(tar, capture_output=True, check=True).stdout
    unpack = "mkdir -p /opt/roundsman && tar -C /opt/roundsman -xf -"
    subprocess.run([*host.ssh(), unpack], input=packed, check=True, capture_output=True)


def command(spec: dict[str, Any], method: str, *arguments: Any, spool_dir: str | None = None) -> str:
    """The command that calls a method of a source; its last argument, the effects, is added."""
    asked = json.dumps([spec, method, arguments, spool_dir])
    return f"python3 -c {shlex.quote(SCRIPT)} {shlex.quote(asked)}"


def call(host: Host, spec: dict[str, Any], method: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    """{"done": what the method returned}, or {"reason", "message"} of its failure."""
    said = host.run(command(spec, method, *arguments, **more), timeout=120).stdout
    result: dict[str, Any] = json.loads(said)
    return result
