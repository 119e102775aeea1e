"""Roundsman as the on-call uses it: the command itself, its own state directory, a webhook that listens."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests import warm

ROUNDSMAN = Path(sys.executable).parent / "roundsman"
PASSWORD = "correct-horse-battery-staple-9f3c"
PASSWORD_VARIABLE = "FLEET_REPOSITORY_PASSWORD"


class Listener:
    """An HTTP endpoint on loopback that keeps every webhook delivery."""

    def __init__(self) -> None:
        self.deliveries: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.at: list[float] = []
        self.one_by_one = threading.Lock()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.time()
                # Cut where its sender was killed: then it is none.
                delivery = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with listener.one_by_one:
                    listener.at.append(at)
                    listener.keys.append(self.headers["Idempotency-Key"])
                    listener.deliveries.append(delivery)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def by_host(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for delivery in self.deliveries:
            found.setdefault(delivery["groupLabels"]["host"], []).append(delivery)
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Roundsman:
    """The command with a configuration of its own in `folder`. The password comes by the environment."""

    def __init__(
        self, folder: Path, inventory: Path, listener: Listener | None = None, password: str = PASSWORD
    ) -> None:
        self.folder = folder
        self._password = password
        self.state = folder / "state"
        self.config = folder / "roundsman.yml"
        receivers = [{"name": "team", "webhooks": [{"url": listener.url}]}] if listener else []
        settings = {
            "inventory": str(inventory),
            "state_dir": str(self.state),
            # Hosts that are down are known to be so much earlier; those that boot beside others take their time.
            "connect_timeout": "30s",
            "pass_environment": [PASSWORD_VARIABLE],
            # Long, so that what a host's run finds goes out together when the run is over.
            "alerts": {"group_wait": "10min", "receivers": receivers},
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(settings))

    def command(self, *arguments: str) -> list[str]:
        return [str(ROUNDSMAN), *arguments, "--config", str(self.config)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, PASSWORD_VARIABLE: self._password}

    def run(self, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        command, *options = self.command(*arguments)
        return warm.run(Path(command), *options, env=self.environment, timeout=timeout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        # Shells start background jobs with Ctrl-C ignored, and what is ignored stays so.
        heed_ctrl_c = ["env", "--default-signal=INT"]
        return subprocess.Popen(
            [*heed_ctrl_c, *self.command(*arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=self.environment, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}") from None


def kill_everything(process: subprocess.Popen[str]) -> None:
    """The command and all that it started; what has ended meanwhile is no matter."""
    command = psutil.Process(process.pid)
    for victim in [command, *command.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    process.wait(timeout=120)


def backed_up(*paths: str, **variables: Any) -> dict[str, Any]:
    """Inventory variables of a host with one source, a repository of its own, and only checks that are named."""
    return {
        "roundsman_default_checks": [],
        "roundsman_backups": [{"id": "data", "type": "files", "paths": list(paths or ("/etc",))}],
        "roundsman_repository": "/var/backups/roundsman",
        "roundsman_repository_password": f"{{{{ lookup('ansible.builtin.env', '{PASSWORD_VARIABLE}') }}}}",
        **variables,
    }
