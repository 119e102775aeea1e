"""Recommendations: ranked, said once for all hosts, and commands that exist."""

from __future__ import annotations

import shlex
from datetime import timedelta
from importlib import import_module
from typing import Any

import click
import pytest
import yaml
from ansible.parsing.splitter import parse_kv

from roundsman.__main__ import cli
from roundsman.insight.advice import Ansible, HostEvidence, Invocation
from roundsman.insight.freshness import Missing
from roundsman.insight.recommend import Recommendation, recommend
from roundsman.insight.rules import RULES

from .evidence import GIB, NOW, filesystem, fills, result, snapshot
from .test_rules import CASES

USED = Invocation(("inventory/", "more hosts.yml"))


def hosts(**results: list[dict[str, Any]]) -> list[HostEvidence]:
    return [HostEvidence(name, found) for name, found in results.items()]


def journal(gib: float) -> dict[str, Any]:
    return result("reclaimable", details={"journal_archived_bytes": gib * GIB})


def test_what_several_hosts_need_is_said_once() -> None:
    fleet = hosts(**{f"web{number}": [journal(number)] for number in range(1, 8)})
    (one,) = recommend(fleet, USED, NOW)
    assert one.text == "7 hosts: archived journals hold 28.0 GiB"
    assert one.command == (
        "ansible -i inventory/ -i 'more hosts.yml' web1,web2,web3,web4,web5,web6,web7 -b "
        "-m ansible.builtin.command -a 'journalctl --vacuum-size=500M'"
    )
    assert one.evidence[2] == "web3: archived journals hold 3.0 GiB"


def test_of_a_disk_the_worst_host_is_told() -> None:
    fleet = hosts(web1=[filesystem("WARNING", var=91)], web2=[filesystem("CRITICAL", var=97, srv=96)])
    assert [one.text for one in recommend(fleet, USED, NOW)] == [
        "2 hosts: /var is up to 97 % full", "web2: /srv is 96 % full",
    ]  # fmt: skip


def test_updates_of_several_hosts_are_one_command() -> None:
    def updates(*names: str) -> dict[str, Any]:
        details = {"manager": "apt", "security": len(names), "security_packages": names}
        return result("updates", details=details)

    (one,) = recommend(hosts(web1=[updates("openssl", "libc6")], web2=[updates("openssl", "curl")]), USED, NOW)
    assert one.text == "2 hosts: 4 security updates to install in all"
    assert "'name=curl,libc6,openssl state=latest only_upgrade=true update_cache=true'" in one.command


def test_what_is_amiss_comes_before_what_will_be_and_what_could_be_better() -> None:
    fleet = [
        HostEvidence("web1", [journal(9)]),
        HostEvidence("db2", [], snapshots=[snapshot(level=None)]),
        HostEvidence("web3", [filesystem("CRITICAL", var=97)]),
    ]
    found = recommend(fleet, USED, NOW)
    assert [(one.rank, one.hosts) for one in found] == [(1, ("web3",)), (2, ("db2",)), (3, ("web1",))]


def test_a_journal_is_urgent_where_a_disk_is_full() -> None:
    fleet = hosts(web1=[journal(9), filesystem("CRITICAL", var=97)])
    fleet.append(HostEvidence("db2", [], snapshots=[snapshot(level=None)]))
    assert [one.rule for one in recommend(fleet, USED, NOW)] == [
        "filesystem_is_full", "journal_is_large", "snapshot_has_no_evidence",
    ]  # fmt: skip


def test_roundsman_is_told_of_inventories_that_a_person_named() -> None:
    fleet = [HostEvidence("db2", [], snapshots=[snapshot(level=None)])]
    (one,) = recommend(fleet, Invocation(("other hosts/",), named=True), NOW)
    assert one.command == "roundsman backup verify -i 'other hosts/' --limit db2"
    (one,) = recommend(fleet, USED, NOW)
    assert one.command == "roundsman backup verify --limit db2"


def everything() -> list[Recommendation]:
    """Something for every rule."""
    fleet = [HostEvidence("web3", [case[1]]) for case in CASES]
    fleet.append(HostEvidence("web3", [result("uptime", perfdata="'reboot_required'=1")]))
    fleet.append(HostEvidence("web3", [result("raid", "UNKNOWN", remedy="check as root")]))
    fleet.append(HostEvidence("web3", missing=[Missing("disk", timedelta(days=1))]))
    fleet.append(HostEvidence("web3", uncovered=["/srv/data"]))
    fleet.append(HostEvidence("web3", unusual={("shop", "time"): "3.2 times what is usual on Tuesdays at 14 h"}))
    soon = fills(timedelta(days=1), timedelta(days=2))
    fleet.append(HostEvidence("web3", [filesystem("OK", srv=80)], forecasts={("filesystem", "/srv"): soon}))
    found = {"software": "Redis", "checks": [{"type": "redis"}]}
    fleet.append(HostEvidence("web3", [result("software", details={"found": [found]})]))
    kept = snapshot(level=None), snapshot(failed_level="read"), snapshot(timedelta(days=3))
    fleet += [HostEvidence("db2", snapshots=[one]) for one in kept]
    return recommend(fleet, USED, NOW)


def test_every_rule_has_something_to_say() -> None:
    assert {one.rule for one in everything()} == {rule.__name__ for rule in RULES}
    assert all(rule.__doc__ for rule in RULES)


@pytest.mark.parametrize("one", everything(), ids=lambda one: one.rule)
def test_commands_exist(one: Recommendation) -> None:
    words = shlex.split(one.command)
    if words[0] == "roundsman":
        accepted_by_click(words[1:])
        return
    if words[0] == "#":
        assert yaml.safe_load(one.command) == {"roundsman_checks": [{"type": "redis"}]}
        return
    name = words[words.index("-m") + 1].removeprefix("ansible.builtin.")
    documented = yaml.safe_load(import_module(f"ansible.modules.{name}").DOCUMENTATION)["options"]
    written = words[words.index("-a") + 1] if "-a" in words else ""
    arguments = parse_kv(written, check_raw=name == "command")
    assert set(arguments) <= {*documented, "_raw_params"}
    assert ("_raw_params" in arguments) is (name == "command")


def accepted_by_click(words: list[str]) -> None:
    command: click.Command = cli
    with click.Context(cli) as context:
        while isinstance(command, click.Group) and not words[0].startswith("-"):
            found = command.get_command(context, words.pop(0))
            assert found is not None
            command = found
        command.make_context("it", words)


def test_a_host_with_a_strange_name_is_quoted() -> None:
    line = Ansible("command", "id").line(["a b;c"], USED, [])
    assert shlex.split(line)[5] == "a b;c"
