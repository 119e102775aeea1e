"""Real Pythons of this machine, of the versions that hosts have."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path


@functools.cache
def real_python(version: str) -> str | None:
    """The path of a Python of that version ("3.8"). pyenv's shims are there for versions that are not, so ask."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    candidates = [str(path) for path in pyenv] + [path for path in [shutil.which(f"python{version}")] if path]
    for candidate in candidates:
        command = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.stdout.strip() == version:
            return candidate
    return None
