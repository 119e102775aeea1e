"""The registry: rebuilt after it was lost, what is due, what is too old, and a drill host that is away."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from tests.fleet.roundsman import PASSWORD, Listener, Roundsman, backed_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.hosts import Fleet


def test_the_registry_survives_its_store_and_watches_the_clocks(fleet: Fleet, tmp_path: Path) -> None:
    app = fleet.host("app1")
    app.vars.update(backed_up("/etc", roundsman_drill_host="spare1"))
    (source,) = app.vars["roundsman_backups"]
    source.update(every="1h", prove="weekly", tags=["nightly"])
    listener = Listener()
    roundsman = Roundsman(tmp_path, fleet.inventory(), listener, PASSWORD)

    assert roundsman.run("backup", "run", "--due").returncode == 0
    (host,) = roundsman.json("backup", "run", "--due")["hosts"]
    assert [(one["snapshot"], bool(one["due_at"])) for one in host["backups"]] == [(None, True)]
    (made,) = roundsman.json("backup", "list")

    drill = roundsman.run("backup", "drill", "--due", "--json")
    (host,) = json.loads(drill.stdout)["hosts"]
    assert (host["status"], [one["reason"] for one in host["verifications"]]) == ("UNKNOWN", ["drill_host_unreachable"])

    for path in [*tmp_path.glob("state/store.db*"), *tmp_path.glob("state/ledger/*")]:
        path.unlink()
    assert roundsman.json("backup", "list") == []
    assert roundsman.run("backup", "reindex").returncode == 0
    (found,) = roundsman.json("backup", "list")
    same = ("source", "id", "time", "repository", "manifest_sha256", "complete", "tags")
    assert {key: found[key] for key in same} == {key: made[key] for key in same}
    assert found["tags"] == ["nightly"]

    with sqlite3.connect(tmp_path / "state/store.db") as store:
        store.execute("UPDATE snapshots SET time = '2026-01-01T00:00:00Z'")
    assert [one["check"] for one in roundsman.json("alerts", "list")] == ["fresh-backup:data"]
    assert roundsman.run("health").returncode in (0, 1, 2, 3)
    assert roundsman.run("backup", "run").returncode == 0
    assert roundsman.json("alerts", "list") == []
    told = [one for message in listener.deliveries for one in message["alerts"]]
    assert [one["status"] for one in told if one["labels"]["check"] == "fresh-backup:data"] == ["firing", "resolved"]
    listener.close()
