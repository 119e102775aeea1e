"""`roundsman serve` as a process of its own, for tests that let real programs talk to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROUNDSMAN = Path(sys.executable).parent / "roundsman"


@dataclass
class Served:
    url: str
    process: subprocess.Popen[str]
    log: Path

    def ended(self) -> int:
        """Asked to end by SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def served(folder: Path, alerts: str, port: int = 0, serve: str = "") -> Iterator[Served]:
    """With this `alerts` section (indented, or a mapping in one line); port 0 is any that is free."""
    config = folder / "roundsman.yml"
    config.write_text(f"state_dir: {folder}/state\nserve: {{listen: '127.0.0.1:{port}'{serve}}}\nalerts: {alerts}\n")
    log = folder / "serve.log"
    with log.open("a") as errors:
        process = subprocess.Popen(
            [ROUNDSMAN, "serve", "--config", config], stdout=subprocess.PIPE, stderr=errors, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.fullmatch(r"listening on (\S+)\n", said)
        assert address is not None, said + log.read_text()
        yield Served(address[1], process, log)
    finally:
        process.kill()
        process.wait()
