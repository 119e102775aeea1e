"""Applications under the contract with real Ansible: what is said when there is no way back, or no need of one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.maintenance.test_contract import Desk

IRREVERSIBLE = {
    "fetch": "touch shop", "migrate": "true", "verify": "echo no answer >&2; false", "verify_within_s": 0,
    "irreversible": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of version 2.0 on each host."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    for host, hooks in (("stuck", IRREVERSIBLE), ("unfetched", {"fetch": "exit 4", "verify": "true"})):
        shop = {"id": "shop", "version": "2.0", "path": str(desk.root / host / "app"), **hooks}
        desk.add(host, roundsman_applications=[shop], roundsman_application_become=False)
    code, hosts = desk.run("application")
    assert code == 2
    return {name: host["maintenance"][0] for name, host in hosts.items()}


def outcomes(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["action"], action["outcome"]) for action in record["actions"]]


def test_a_fetch_that_fails_has_nothing_to_roll_back(records: dict[str, dict[str, Any]]) -> None:
    record = records["unfetched"]
    assert (record["status"], record["rollback"], record["reason"]) == ("failed", "none", "hook_failed")
    assert record["message"].endswith("fetch ended with 4. Nothing was stopped or switched. Nothing was changed")
    assert outcomes(record) == [("fetch", "failed")]


def test_without_a_way_back_the_record_says_what_is_there(records: dict[str, dict[str, Any]]) -> None:
    record = records["stuck"]
    assert (record["status"], record["rollback"], record["reason"]) == ("failed", "none", "irreversible")
    assert "shop 2.0: verify failed: verify ended with 1: no answer. It was NOT rolled back" in record["message"]
    assert "came as far as verify; now: 2.0; before: nothing" in record["message"]
    assert outcomes(record) == [("fetch", "done"), ("switch", "done"), ("migrate", "done"), ("verify", "failed")]
