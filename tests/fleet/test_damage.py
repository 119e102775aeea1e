"""Repositories are damaged for real: verification fails at the level that sees it, and the alert says where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fleet import faults
from tests.fleet.roundsman import PASSWORD, Roundsman, backed_up

if TYPE_CHECKING:
    from pathlib import Path

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


def flipped(host: Host) -> None:
    path, offset = data_pack(host)
    host.suffer(faults.flipped_byte, path=path, offset=offset)


def index(host: Host) -> None:
    name = host.run(f"{RESTIC} list index -q").stdout.split()[0]
    host.suffer(faults.flipped_byte, path=f"{REPOSITORY}/index/{name}", offset=40)


def deleted(host: Host) -> None:
    host.run(f"rm {data_pack(host)[0]}")


# Each damage, the level that finds it and the one that still holds; on a host of each release, beside a sound one.
DAMAGES = {flipped: ("read", "stored"), index: ("stored", None), deleted: ("stored", None)}
RELEASES = ("bookworm", "trixie")


def test_damage_is_found_at_its_level_and_named(fleet: Fleet, tmp_path: Path) -> None:
    variables = backed_up("/etc", roundsman_checks=[{"type": "systemd"}])
    expected: dict[str, tuple[str | None, str | None]] = {}
    for release in RELEASES:
        fleet.host(f"sound-{release}", release=release, variables=variables)
        expected[f"sound-{release}"] = (None, "restored")
        for damage, levels in DAMAGES.items():
            fleet.host(f"{damage.__name__}-{release}", release=release, variables=variables)
            expected[f"{damage.__name__}-{release}"] = levels
    roundsman = Roundsman(tmp_path, fleet.inventory())
    assert roundsman.run("rounds").returncode == 0
    snapshots = {one["host"]: one["id"] for one in roundsman.json("backup", "list")}
    for release in RELEASES:
        for damage in DAMAGES:
            damage(fleet.hosts[f"{damage.__name__}-{release}"])

    report = roundsman.json("backup", "verify")

    assert report["exit_code"] == 2
    assert evidence(report) == expected
    alerts = {alert["host"]: alert for alert in roundsman.json("alerts", "list")}
    assert set(alerts) == {host for host, (failed, _) in expected.items() if failed}
    for host, alert in alerts.items():
        assert (alert["check"], alert["status"]) == ("verify:data", "CRITICAL")
        for word in (host, snapshots[host][:8], expected[host][0]):
            assert str(word) in alert["message"]
    listed = {one["host"]: one["failed_level"] for one in roundsman.json("backup", "list")}
    assert listed == {host: failed for host, (failed, _) in expected.items()}
    assert roundsman.run("backup", "list").stdout.count("failed at") == len(alerts)

    # A good-looking backup on top of the damage does not hide it.
    later = evidence(roundsman.json("rounds"))
    assert {host for host, (failed, _) in later.items() if failed is None} == {f"sound-{one}" for one in RELEASES}


def evidence(report: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """Per host: the level that failed, and the one that was reached."""
    found = {host["host"]: host["verifications"] for host in report["hosts"]}
    assert {len(verifications) for verifications in found.values()} == {1}
    return {host: (one["failed_level"], one["level"]) for host, (one,) in found.items()}
