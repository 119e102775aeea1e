"""Anna: a host with a source, a repository and a state directory of her own, all below one directory.

Her modules run as Ansible runs them: one process, arguments on stdin, one JSON result. restic is the real one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests import warm

from . import quick_repository

PASSWORD = "correct-horse-battery"
CACHED_HOSTS = Path("/var/cache/roundsman-fleet")


@cache
def engines() -> dict[str, Path]:
    """Every restic at hand: the system's, and that of a newer Debian's host tree when the fleet has made one."""
    candidates = [shutil.which("restic") or "", *map(str, sorted(CACHED_HOSTS.glob("host-*/usr/bin/restic")))]
    candidates.append(os.environ.get("ROUNDSMAN_TEST_RESTIC", ""))
    found: dict[str, Path] = {}
    for candidate in filter(None, candidates):
        said = subprocess.run([candidate, "version"], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            found.setdefault(said.stdout.split()[1], Path(candidate))
    return found


class Anna:
    """Builder and actor. `restic` is the binary that her modules find first."""

    def __init__(self, root: Path, restic: Path | None = None) -> None:
        self.root = root
        self.source = root / "data"
        self.repository = str(root / "repository")
        self.state = root / "state"
        self.password = PASSWORD
        self.environment: dict[str, str] = {}
        self.bin = root / "bin"
        self.bin.mkdir(parents=True, exist_ok=True)
        self.source.mkdir(exist_ok=True)
        self.restic_binary = restic or next(iter(engines().values()))
        link = self.bin / "restic"
        if not link.is_symlink():
            link.symlink_to(self.restic_binary)

    def write(self, name: str, content: str | bytes = "content") -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def env(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}

    def arguments(self, **more: Any) -> dict[str, Any]:
        common = {
            "host": "anna",
            "repository": self.repository,
            "password": self.password,
            "state_dir": str(self.state),
            "environment": self.environment,
            "lock_timeout_s": 0,
            "low_priority": False,
        }
        return {**common, **more}

    def start(self, module: str, **arguments: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", warm.MODULES + module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env(),
            cwd=self.root,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        process.stdin.close()
        process.stdin = None
        return process

    def call(self, module: str, **arguments: Any) -> dict[str, Any]:
        text_in = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
        done = warm.run(warm.MODULES + module, env=self.env(), cwd=self.root, text_in=text_in)
        assert done.stdout.strip(), f"the module crashed: {done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout)
        assert PASSWORD not in done.stdout + done.stderr
        return result

    def back_up(self, spec: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        source = {"id": "data", "type": "files", "paths": [str(self.source)], **(spec or {})}
        return self.call("backup", **self.arguments(source=source, **more))

    def verify(self, **more: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {"sources": ["data"], **more}
        return self.call("backup_verify", **self.arguments(**arguments))

    def restore(self, **more: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {"source": "data", "target": str(self.root / "restored"), **more}
        return self.call("backup_restore", **self.arguments(**arguments))

    def prune(self, **more: Any) -> dict[str, Any]:
        return self.call("backup_prune", **self.arguments(source="data", **more))

    def snapshots(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.call("backup_info", **self.arguments())["snapshots"]
        return listed

    def restic(self, *argv: str | bytes) -> str:
        """restic by hand: what a person would see, and the hand that does damage."""
        secrets = {"RESTIC_REPOSITORY": self.repository, "RESTIC_PASSWORD": self.password, **self.environment}
        said = subprocess.run(
            [str(self.restic_binary), *argv],
            env={**os.environ, **secrets, "RESTIC_CACHE_DIR": str(self.root / "cache")},
            capture_output=True,
            check=True,
        )
        return said.stdout.decode(errors="surrogateescape")

    @contextlib.contextmanager
    def engine_behind(self, script: str) -> Iterator[None]:
        """Her modules meet a shell script first, which finds the real engine in $RESTIC."""
        path = self.bin / "restic"
        path.unlink()
        path.write_text(f"#!/bin/sh\nRESTIC={self.restic_binary}\n{script}\n")
        path.chmod(0o755)
        try:
            yield
        finally:
            path.unlink()
            path.symlink_to(self.restic_binary)

    def with_repository(self) -> Anna:
        """Her repository is there before her first backup, and opens quickly."""
        quick_repository.make(self.restic_binary, Path(self.repository), PASSWORD)
        return self

    def twin(self, root: Path) -> Anna:
        """A copy of all that she has, to be damaged."""
        shutil.copytree(self.root, root, symlinks=True)
        return Anna(root, self.restic_binary)
