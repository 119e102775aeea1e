"""Debian's own Alertmanager, for tests that talk to the real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.ports import free_port

PROGRAM = "prometheus-alertmanager"
PATIENCE_S = 60


class RealAlertmanager:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def alerts(self) -> list[dict[str, Any]]:
        """Those that fire."""
        with urlopen(f"{self.url}/api/v2/alerts") as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


@contextmanager
def real_alertmanager(folder: Path, webhook_url: str) -> Iterator[RealAlertmanager]:
    """With a receiver that is told within a second."""
    route = {"receiver": "hook", "group_by": ["..."], "group_wait": "100ms", "group_interval": "200ms"}
    receivers = [{"name": "hook", "webhook_configs": [{"url": webhook_url}]}]
    with alertmanager_with(folder, {"route": route, "receivers": receivers}) as running:
        yield running


@contextmanager
def alertmanager_with(folder: Path, configuration: Mapping[str, Any]) -> Iterator[RealAlertmanager]:
    """Running alone. Skips where Debian's package is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip(f"{PROGRAM} is not installed: apt-get install {PROGRAM}")
    (folder / "alertmanager.yml").write_text(json.dumps(configuration))
    port = free_port()
    options = [
        f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log)
    try:
        running = RealAlertmanager(port)
        wait_for(lambda: process.poll() is not None or _answers(running.url))
        assert process.poll() is None, (folder / "log").read_text()
        yield running
    finally:
        process.kill()
        process.wait()


def wait_for(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready"):
            return True
    except OSError:
        return False
