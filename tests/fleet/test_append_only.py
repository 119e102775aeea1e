"""A host that was taken over, root and all its secrets, against the append-only server that keeps its backups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fleet.backup_server import PORT, BackupServer
from tests.fleet.roundsman import PASSWORD, Listener, Roundsman, backed_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.host import Host
    from tests.fleet.hosts import Fleet

# What restic's clients may legitimately delete: an append-only server has to let locks go.
KINDS = ("data", "index", "keys", "snapshots")


def contents(vault: BackupServer) -> dict[str, str]:
    """file -> hash of all that the server holds of web1, told on the server; without locks."""
    told = vault.host.run(f"cd {vault.path('web1')} && find {' '.join(KINDS)} config -type f | xargs sha256sum").stdout
    return {path: digest for digest, path in map(str.split, told.splitlines())}


def restic(host: Host, repository: str, *argv: str, check: bool = True, timeout: float = 60) -> str:
    environment = f"RESTIC_PASSWORD={PASSWORD} RESTIC_REPOSITORY={repository}"
    done = host.run(f"env {environment} timeout {timeout} restic {' '.join(argv)}", check=check, timeout=timeout + 120)
    return done.stdout


def attack(web1: Host, vault: BackupServer) -> dict[str, str]:
    """Everything that HTTP offers, against every file but locks; method and path -> status."""
    base = f"http://{vault.host.address}:{PORT}/web1"
    targets = []
    for path in contents(vault):
        kind, *rest = path.split("/")
        targets.append("/".join([kind, *rest[-1:]]))
    curl = 'printf "%s %s " {0} {1}; curl -so /dev/null -w "%{{http_code}}\\n" -X {0} {2} {3}/{1}\n'
    script = "".join(
        curl.format(method, target, data, base)
        for target in targets
        for method, data in (("DELETE", ""), ("POST", "--data-binary lost"), ("PUT", "--data-binary lost"))
    )
    said = web1.run("sh -s", text_in=script + curl.format("DELETE", "", "", base)).stdout
    return {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in said.splitlines()}


def future_snapshots(web1: Host, repository: str) -> None:
    # What was killed left its lock.
    restic(web1, repository, "unlock --remove-all")
    for hour in range(3):
        tags = "--tag roundsman --tag source=data --tag complete"
        time = f"--time '2099-01-01 0{hour}:00:00'"
        restic(web1, repository, f"backup -q --host web1 {tags} {time} /etc/hostname")


def listed(vault: BackupServer) -> list[dict[str, Any]]:
    # As the user of the service: what root wrote there it could not read.
    said = vault.host.run(
        f"RESTIC_PASSWORD={PASSWORD} restic -r {vault.path('web1')} snapshots --no-lock --json", user="ops"
    )
    found: list[dict[str, Any]] = json.loads(said.stdout)
    return found


def test_a_compromised_host_cannot_take_its_backups_with_it(fleet: Fleet, tmp_path: Path) -> None:
    vault = fleet.backup_server("vault1", append_only=True)
    web1, other = fleet.host("web1"), fleet.host("other", release="trixie")
    web1.vars.update(
        backed_up(
            "/srv/data",
            roundsman_repository=vault.rest("web1"),
            roundsman_prune_host="vault1",
            roundsman_prune_repository=vault.path("web1"),
            roundsman_prune_user="ops",
            roundsman_retention={"keep_last": 1},
        )
    )
    web1.run("mkdir /srv/data && head -c 300K /dev/urandom > /srv/data/orders")
    listener = Listener()
    on_call = Roundsman(tmp_path, fleet.inventory(), listener)
    try:
        for _ in range(2):
            web1.run("date +%s%N > /srv/data/changing")
            made = on_call.run("backup", "run", "--limit", "web1")
            assert made.returncode == 0, made.stdout + made.stderr
        before = contents(vault)
        genuine = [one["id"] for one in listed(vault)]

        answers = attack(web1, vault)
        assert len(answers) > 3 * len(before)
        wins = {what: status for what, status in answers.items() if status.startswith("2")}
        assert contents(vault) == before, wins
        assert {what for what in wins if what.startswith("DELETE")} == set()
        # restic's own way, which retries for long.
        restic(web1, vault.rest("web1"), "forget --prune --keep-last 1", check=False, timeout=8)
        future_snapshots(web1, vault.rest("web1"))
        after = contents(vault)
        assert before.items() <= after.items()
        # And from another host everything still verifies.
        restic(other, vault.rest("web1"), "check --read-data")
        restic(other, vault.rest("web1"), f"restore {genuine[0]} --target /srv/back")
        restored = other.run("sha256sum < /srv/back/srv/data/orders").stdout
        assert restored == web1.run("sha256sum < /srv/data/orders").stdout

        # The next prune, on the server: the oldest genuine one goes, and none because of the forged ones.
        pruned = on_call.json("backup", "prune", "--limit", "web1")
        (record,) = next(host for host in pruned["hosts"] if host["host"] == "web1")["prunes"]
        assert [one["id"] for one in record["remove"]] == genuine[:1], record
        assert len(record["future"]) == 3
        assert [one["id"] for one in listed(vault)][:1] == genuine[1:]
        (alert,) = on_call.json("alerts", "list")
        assert (alert["host"], alert["check"], alert["status"]) == ("web1", "prune:data", "WARNING")
        assert "3 dated in the future" in alert["message"]
        # The service still reads what prune wrote: the host goes on saving.
        assert on_call.run("backup", "run", "--limit", "web1").returncode == 0
        # Once the forged ones are gone, so is the alert.
        forged = " ".join(one["id"] for one in record["future"])
        vault.host.run(f"RESTIC_PASSWORD={PASSWORD} restic -r {vault.path('web1')} forget {forged}", user="ops")
        assert on_call.run("backup", "prune", "--limit", "web1").returncode == 0
        assert on_call.json("alerts", "list") == []
    finally:
        listener.close()


def test_prune_touches_no_other_repository(fleet: Fleet, tmp_path: Path) -> None:
    """Two hosts, and a typing error in the inventory: web2's prune is pointed at web1's repository."""
    vault = fleet.backup_server("vault1", append_only=True)
    for name in ("web1", "web2"):
        fleet.host(name).vars.update(
            backed_up(
                "/etc/hostname",
                roundsman_repository=vault.rest(name),
                roundsman_prune_host="vault1",
                roundsman_prune_repository=vault.path("web1"),
                roundsman_prune_user="ops",
                roundsman_retention={"keep_last": 1},
            )
        )
    on_call = Roundsman(tmp_path, fleet.inventory())
    for _ in range(2):
        assert on_call.run("backup", "run", "--limit", "web*").returncode == 0
    pruned = {host["host"]: host for host in on_call.json("backup", "prune", "--limit", "web*")["hosts"]}
    assert pruned["web1"]["prunes"][0]["removed"] == 1
    assert pruned["web2"]["prunes"][0]["reason"] == "repository_changed"
    assert "web2 saves to" in pruned["web2"]["problems"][0]["message"]
