"""Calls a module of this collection as Ansible does: arguments on stdin, one JSON result."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests import warm


def call_module(module: str, state_dir: Path, *, check: bool = False, path: str | None = None, **arguments: Any) -> Any:
    """What the module answers. `path`: where it looks for programs first."""
    asked = {"state_dir": str(state_dir), "_ansible_check_mode": check, **arguments}
    env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else dict(os.environ)
    done = warm.run(warm.MODULES + module, env=env, text_in=json.dumps({"ANSIBLE_MODULE_ARGS": asked}))
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    print(json.dumps(result, indent=1))  # shown when the test fails
    return result
