"""The whole way, on ten hosts of which seven are in trouble: seen, told once each, and told again when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fleet.roundsman import Listener, Roundsman, backed_up

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.hosts import Fleet

BASICS: list[dict[str, Any]] = [
    {"type": "load", "warn": "50", "crit": "100"},
    {"type": "memory", "warn": "98%", "crit": "99%"},
    {"type": "systemd"},
    {"id": "ssh", "type": "tcp", "port": 22, "warn": None},
]
WEB = [*BASICS, {"id": "site", "type": "http", "url": "http://localhost/", "warn": None}]
DATA = [*BASICS, {"id": "data-disk", "type": "filesystem", "path": "/srv/full", "warn": "80%", "crit": "95%"}]


def ten_hosts(fleet: Fleet) -> None:
    """bad1 … bad7 each with a trouble of their own; good1 … good3 without."""

    def host(
        name: str, *, checks: list[dict[str, Any]] = BASICS, paths: tuple[str, ...] = ("/etc",), **kwargs: Any
    ) -> None:
        variables = backed_up(*paths, roundsman_checks=checks, **kwargs.pop("extra", {}))
        fleet.host(name, variables=variables, **kwargs)

    host("full", checks=DATA, full_filesystem={"path": "/srv/full"})
    host("unit", failed_unit=True)
    host("web", checks=WEB, web=True, dead_web_server=True)
    host("off", down=True)
    host("rekeyed", changed_host_key=True)
    host("nopath", paths=("/etc", "/srv/shop"))
    host("bare", broken_sudo=True, extra={"roundsman_psutil": "host"})
    host("good1")
    host("good2", checks=WEB, web=True)
    host("good3", release="trixie")


def problems(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        host["host"]: {problem["check"]: problem["status"] for problem in host["problems"]} for host in report["hosts"]
    }


def message(report: dict[str, Any], host: str, check: str) -> str:
    (found,) = [
        problem["message"]
        for one in report["hosts"]
        if one["host"] == host
        for problem in one["problems"]
        if problem["check"] == check
    ]
    return str(found)


def test_every_trouble_shows_as_what_it_is_and_ends_when_it_is_repaired(
    fleet: Fleet, tmp_path: Path, listener: Listener
) -> None:
    ten_hosts(fleet)
    roundsman = Roundsman(tmp_path, fleet.inventory(), listener)

    first = roundsman.json("rounds")

    troubles = problems(first)
    assert troubles.pop("full") == {"data-disk": "CRITICAL"}
    assert troubles.pop("unit") == {"systemd": "CRITICAL"}
    assert troubles.pop("web") == {"site": "CRITICAL", "systemd": "CRITICAL"}
    assert troubles.pop("off") == {"reachable": "CRITICAL"}
    assert troubles.pop("rekeyed") == {"reachable": "CRITICAL"}
    assert troubles.pop("nopath") == {"backup:data": "CRITICAL", "verify:data": "UNKNOWN"}
    bare = troubles.pop("bare")
    assert bare == {"memory": "UNKNOWN", "backup:data": "CRITICAL", "verify": "UNKNOWN"}
    assert troubles == {"good1": {}, "good2": {}, "good3": {}}

    assert "100" in message(first, "full", "data-disk")
    assert "payroll.service" in message(first, "unit", "systemd")
    assert "refused" in message(first, "web", "site")
    assert "host key has changed" in message(first, "rekeyed", "reachable")
    assert "/srv/shop" in message(first, "nopath", "backup:data")
    assert "psutil" in message(first, "bare", "memory")
    assert "sudo" in message(first, "bare", "backup:data").lower()
    assert first["exit_code"] == 2

    well = [host for host in first["hosts"] if host["host"].startswith("good")]
    assert [(host["status"], len(host["backups"])) for host in well] == [("OK", 1)] * 3
    assert {verification["level"] for host in well for verification in host["verifications"]} == {"restored"}

    deliveries = listener.by_host()
    assert set(deliveries) == {"full", "unit", "web", "off", "rekeyed", "nopath", "bare"}
    assert {host: len(told) for host, told in deliveries.items()} == dict.fromkeys(deliveries, 1), "one delivery each"
    assert {told[0]["status"] for told in deliveries.values()} == {"firing"}

    states = {(state["host"], state["check"]): state["status"] for state in roundsman.json("alerts", "list")}
    assert states == {
        (host, check): status for host, found in problems(first).items() for check, status in found.items()
    }

    table = roundsman.run("runs", "show").stdout
    for host in deliveries:
        assert host in table

    listener.deliveries.clear()
    for host in fleet.hosts.values():
        host.recover()
    fleet.hosts["nopath"].run("mkdir -p /srv/shop && echo 1 > /srv/shop/orders")
    fleet.hosts["bare"].vars["roundsman_psutil"] = "carry"
    fleet.inventory()

    second = roundsman.json("rounds")

    assert problems(second) == {name: {} for name in fleet.hosts}
    assert second["exit_code"] == 0
    assert roundsman.json("alerts", "list") == []
    deliveries = listener.by_host()
    assert {host: [one["status"] for one in told] for host, told in deliveries.items()} == {
        host: ["resolved"] for host in ("full", "unit", "web", "off", "rekeyed", "nopath", "bare")
    }
    made = {host["host"]: host["backups"][0] for host in second["hosts"]}
    assert {backup["backup_type"] for backup in made.values()} == {"incremental"}
    for name in ("good1", "good2", "good3", "full", "unit", "web"):
        assert made[name]["parent"] == next(h for h in first["hosts"] if h["host"] == name)["backups"][0]["snapshot"]
        assert made[name]["added_bytes"] < made[name]["total_bytes"] / 2
