"""A repository is damaged for real: verification fails at the level that claims to see it, and the alert says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fleet import faults
from tests.fleet.roundsman import PASSWORD, Roundsman, backed_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

REPOSITORY = "/var/backups/roundsman"
RESTIC = f"RESTIC_REPOSITORY={REPOSITORY} RESTIC_PASSWORD={PASSWORD} restic"


def data_pack(host: Host) -> tuple[str, int]:
    """Path of a pack that holds file contents, and an offset inside one of its blobs."""
    for index in host.run(f"{RESTIC} list index -q").stdout.split():
        for pack in json.loads(host.run(f"{RESTIC} cat index {index} -q").stdout)["packs"]:
            blobs = [blob for blob in pack["blobs"] if blob["type"] == "data"]
            if blobs:
                return f"{REPOSITORY}/data/{pack['id'][:2]}/{pack['id']}", blobs[0]["offset"] + blobs[0]["length"] // 2
    raise AssertionError("no pack holds file contents")


def flip_in_data_pack(host: Host) -> None:
    path, offset = data_pack(host)
    host.suffer(faults.flipped_byte, path=path, offset=offset)


def flip_in_index(host: Host) -> None:
    index = host.run(f"{RESTIC} list index -q").stdout.split()[0]
    host.suffer(faults.flipped_byte, path=f"{REPOSITORY}/index/{index}", offset=40)


def delete_pack(host: Host) -> None:
    host.run(f"rm {data_pack(host)[0]}")


@pytest.mark.parametrize(
    ("damage", "level", "reached"),
    [(flip_in_data_pack, "read", "stored"), (flip_in_index, "stored", None), (delete_pack, "stored", None)],
)
@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_damage_is_found_and_named(
    fleet: Fleet, tmp_path: Path, damage: Callable[[Host], None], level: str, reached: str | None, release: str
) -> None:
    db1 = fleet.host("db1", release=release, variables=backed_up("/etc", roundsman_checks=[{"type": "systemd"}]))
    roundsman = Roundsman(tmp_path, fleet.inventory())
    assert roundsman.run("rounds").returncode == 0
    (snapshot,) = roundsman.json("backup", "list")
    assert (snapshot["level"], snapshot["failed_level"]) == ("restored", None)
    damage(db1)

    report = roundsman.json("backup", "verify")

    assert report["exit_code"] == 2
    (found,) = report["hosts"][0]["verifications"]
    assert (found["outcome"], found["failed_level"], found["level"]) == ("damaged", level, reached)
    (alert,) = alerts(roundsman, "verify:data")
    assert alert["status"] == "CRITICAL"
    for word in ("db1", snapshot["id"][:8], level):
        assert word in alert["message"]
    (snapshot,) = roundsman.json("backup", "list")
    assert snapshot["failed_level"] == level
    assert "failed at" in roundsman.run("backup", "list").stdout

    # A good-looking backup on top of the damage does not hide it.
    report = roundsman.json("rounds")
    assert report["hosts"][0]["status"] == "CRITICAL"
    assert [found["outcome"] for found in report["hosts"][0]["verifications"]] == ["damaged"]


def alerts(roundsman: Roundsman, check: str) -> list[dict[str, Any]]:
    return [alert for alert in roundsman.json("alerts", "list") if alert["check"] == check]
