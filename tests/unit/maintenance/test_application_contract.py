"""An application under the contract with real Ansible: what the record says when there is no way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.maintenance.test_contract import Desk

PROCEDURES = {"application": {"rollback": True}}


def test_a_fetch_that_fails_has_nothing_to_roll_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    shop = {"id": "shop", "version": "2.0", "path": str(tmp_path / "app"), "fetch": "exit 4", "verify": "true"}
    desk.add(
        "web1",
        roundsman_applications=[shop],
        roundsman_application_become=False,
        roundsman_maintain_procedures=PROCEDURES,
    )

    code, hosts = desk.run("application")

    (record,) = hosts["web1"]["maintenance"]
    assert (code, record["status"], record["rollback"], record["reason"]) == (2, "failed", "none", "hook_failed")
    assert record["message"].endswith("Nothing was stopped or switched; nothing is what it was. Nothing was changed")
    assert [(action["action"], action["outcome"]) for action in record["actions"]] == [("fetch", "failed")]


def test_without_a_way_back_the_record_says_what_is_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    hooks = {"fetch": "touch shop", "migrate": "true", "verify": "echo no answer >&2; false", "verify_within_s": 0}
    shop: dict[str, Any] = {"id": "shop", "version": "2.0", "path": str(tmp_path / "app"), **hooks}
    shop["irreversible"] = True
    desk.add(
        "web1",
        roundsman_applications=[shop],
        roundsman_application_become=False,
        roundsman_maintain_procedures=PROCEDURES,
    )

    code, hosts = desk.run("application")

    (record,) = hosts["web1"]["maintenance"]
    assert (code, record["status"], record["rollback"], record["reason"]) == (2, "failed", "none", "irreversible")
    assert "shop 2.0: verify failed: verify ended with 1: no answer. It was NOT rolled back" in record["message"]
    assert "came as far as verify; now: 2.0; before: nothing" in record["message"]
    outcomes = [(action["action"], action["outcome"]) for action in record["actions"]]
    assert outcomes == [("fetch", "done"), ("switch", "done"), ("migrate", "done"), ("verify", "failed")]
