"""Debian's real Prometheus posts alerts, and they end exactly when it says so, or says nothing more."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.alertmanager import wait_for
from tests.debian import unpacked
from tests.fleet.roundsman import Listener
from tests.ports import free_port
from tests.serving import served

# Prometheus says of each alert that it holds for four times the longer of these. What is said again so often ends in
# between only where a machine is too busy to run Prometheus for the rest of that time.
INTERVAL, AGAIN_S = "1s", 3
HOLDS_S = 4 * AGAIN_S
FIRES_S = HOLDS_S + 3
ALERTS = """
  {tick: 1s, receivers: [{name: hook, urls: ['URL']}],
   route: {receiver: hook, group_by: ['...'], group_wait: 100ms, group_interval: 1s}}
"""


@contextmanager
def prometheus(folder: Path, alertmanager_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`Stays` fires for good, `Ends` until that has fired for some seconds, whenever Prometheus was ready for it."""
    young = f'time() - ALERTS_FOR_STATE{{alertname="Stays"}} < {FIRES_S}'
    rules = [
        {"alert": "Stays", "expr": "vector(1)", "annotations": {"summary": "{{ $value }} of them"}},
        {"alert": "Ends", "expr": f"count({young})", "labels": {"severity": "warning"}},
    ]
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "interval": INTERVAL, "rules": rules}]}))
    target = {"static_configs": [{"targets": [alertmanager_url.removeprefix("http://")]}]}
    document = {"rule_files": ["rules.yml"], "alerting": {"alertmanagers": [target]}}
    (folder / "prometheus.yml").write_text(json.dumps(document))
    command = [
        unpacked("prometheus") / "usr/bin/prometheus", f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{free_port()}",
        f"--rules.alert.resend-delay={AGAIN_S}s",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_ends_that_are_said_and_ends_that_are_not(tmp_path: Path, listener: Listener) -> None:
    with served(tmp_path, ALERTS.replace("URL", listener.url)) as server:

        def firing() -> dict[str, dict[str, Any]]:
            with urlopen(f"{server.url}/api/v2/alerts") as answer:
                return {one["labels"]["alertname"]: one for one in json.load(answer)}

        with prometheus(tmp_path, server.url) as running:
            wait_for(lambda: firing().keys() == {"Ends", "Stays"})
            first = firing()["Stays"]
            assert first["annotations"] == {"summary": "1 of them"}
            assert first["generatorURL"].startswith("http")
            wait_for(lambda: firing().keys() == {"Stays"})
            # It holds for a few seconds only, but is said again and again.
            begun_s = datetime.fromisoformat(first["startsAt"]).timestamp()
            assert time.time() - begun_s > FIRES_S > HOLDS_S
            running.kill()
            running.wait()
        last: dict[str, Any] = {}

        def over() -> bool:
            """What it posted last may still be on its way."""
            found = firing()
            last.update(found.get("Stays", {}))
            return not found

        wait_for(over)
        assert last["startsAt"] == first["startsAt"]
        held_until = datetime.fromisoformat(last["endsAt"])
        assert datetime.now(UTC) >= held_until
        wait_for(lambda: len(listener.deliveries) == 4)
    told = [(one["status"], one["alerts"][0]["labels"]["alertname"]) for one in listener.deliveries]
    assert sorted(told) == [("firing", "Ends"), ("firing", "Stays"), ("resolved", "Ends"), ("resolved", "Stays")]
    over_at = [(one["alerts"][0]["labels"]["alertname"], one["alerts"][0]["endsAt"]) for one in listener.deliveries]
    ended = {name: datetime.fromisoformat(at) for name, at in over_at}
    assert ended["Stays"] == held_until
    # As soon as Prometheus says so. Else it would have been held for as long as it was last said to hold.
    assert 0 <= ended["Ends"].timestamp() - begun_s - FIRES_S < HOLDS_S - AGAIN_S
