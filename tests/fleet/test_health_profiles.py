"""What groups and hosts say about checks, on real hosts in the groups db and web."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.fleet.roundsman import Roundsman

if TYPE_CHECKING:
    from tests.fleet.hosts import Fleet

ROOT = Path(__file__).parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles/health/defaults/main.yml").read_text())["roundsman_default_checks"]
SITE = "{id: site, type: http, url: 'http://{{ address }}/', warn: null}"
QUIET = "roundsman_checks:\n  - {id: load, warn: null, crit: null}\n"


def found(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {host["host"]: {check["id"]: check["status"] for check in host["checks"]} for host in report["hosts"]}


def test_groups_and_hosts_shape_what_is_checked(shared_fleet: Fleet, tmp_path: Path) -> None:
    db1, web1, web2 = (shared_fleet.host(name, web=name.startswith("web")) for name in ("db1", "web1", "web2"))
    folder = tmp_path / "inventory"
    for name, text in {
        "group_vars/all.yml": QUIET,
        "group_vars/db.yml": "roundsman_checks:\n  - {id: swap, enabled: false}\n",
        "group_vars/web.yml": f"roundsman_checks:\n  - {SITE}\n",
        "host_vars/web1.yml": "address: 127.0.0.1\n",
        "host_vars/web2.yml": "address: 127.0.0.1\nroundsman_checks:\n  - {id: site, url: 'http://127.0.0.1:1/'}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shared_fleet.inventory(groups={"db": [db1], "web": [web1, web2]}, path=folder / "hosts.yml")
    roundsman = Roundsman(tmp_path, folder)

    checks = found(roundsman.json("health"))

    # Of what is optional, a host has what is there.
    optional = {check["type"] for check in DEFAULTS if check.get("optional")}
    defaults = {check["type"] for check in DEFAULTS} - optional
    assert {name: set(each) - optional for name, each in checks.items()} == {
        "db1": defaults - {"swap"},
        "web1": defaults | {"site"},
        "web2": defaults | {"site"},
    }
    assert (checks["web1"]["site"], checks["web2"]["site"]) == ("OK", "CRITICAL")

    (folder / "host_vars/web1.yml").write_text("address: x\nroundsman_checks:\n  - {id: siet, enabled: false}\n")
    report = roundsman.json("health")
    (web,) = [host for host in report["hosts"] if host["host"] == "web1"]
    (problem,) = [problem for problem in web["problems"] if problem["check"] == "health"]
    assert "these health checks cannot run" in problem["message"]
    assert 'did you mean "site"?' in problem["message"]
    assert f"{folder}/host_vars/web1.yml:3" in problem["message"]
    assert set(found(report)["db1"]) - optional == defaults - {"swap"}


def test_nothing_needs_a_hosts_answer_to_be_explained(shared_fleet: Fleet, tmp_path: Path) -> None:
    off = shared_fleet.host("off", down=True)
    roundsman = Roundsman(tmp_path, shared_fleet.inventory([off], path=tmp_path / "hosts.yml"))
    (explained,) = roundsman.json("health", "explain", "off")
    assert (explained["host"], explained["faults"], len(explained["checks"])) == ("off", [], len(DEFAULTS))
    assert roundsman.json("runs", "list") == []
    assert roundsman.json("alerts", "list") == []
