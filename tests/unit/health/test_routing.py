"""What a sweep tells of a host, that its alerts are routed by."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.plugin_utils.routing import jumps, routing_of


def test_what_the_inventory_says_of_a_host() -> None:
    said = {
        "roundsman_labels": {"team": "db", "environment": "production", "rack": 7, "spare": False},
        "roundsman_depends_on": "db",
        "ansible_host": "198.51.100.7",
        "ansible_ssh_common_args": "-o ProxyJump=admin@198.51.100.1:2222",
    }
    assert routing_of(said) == (
        {
            "labels": {"team": "db", "environment": "production", "rack": "7", "spare": "false"},
            "depends_on": ["db", "198.51.100.1"],
            "address": "198.51.100.7",
        },
        [],
    )
    assert routing_of({}) == ({"labels": {}, "depends_on": [], "address": ""}, [])


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"roundsman_labels": ["db"]}, "roundsman_labels is not a mapping"),
        ({"roundsman_labels": {"severity": "critical"}}, "'severity' cannot be a label of a host"),
        ({"roundsman_labels": {"my team": "db"}}, "'my team' cannot be a label of a host"),
        ({"roundsman_labels": {"team": ["db"]}}, "roundsman_labels: team is not a text"),
        ({"roundsman_depends_on": {"db": 1}}, "roundsman_depends_on is neither a host nor a list of hosts"),
    ],
)
def test_mistakes_are_named(said: dict[str, Any], fault: str) -> None:
    (found,) = routing_of(said)[1]
    assert found.startswith(fault) or fault in found


@pytest.mark.parametrize(
    ("arguments", "hosts"),
    [
        ("-J bastion", ["bastion"]),
        ("-C -Jme@outer:22,inner -v", ["outer", "inner"]),
        ("-o ProxyJump=ssh://me@bastion:22", ["bastion"]),
        ("-oProxyJump='bastion'", ["bastion"]),
        ('-o "ProxyJump [2001:db8::1]:22"', ["2001:db8::1"]),
        ('-o ProxyCommand="ssh -W %h:%p -q me@bastion"', ["bastion"]),
        ("-o ProxyCommand='nc -X 5 %h %p'", []),
        ("-o StrictHostKeyChecking=yes -i jump", []),
        ("-J", []),
        ("-o 'ProxyJump", []),
    ],
)
def test_jump_hosts(arguments: str, hosts: list[str]) -> None:
    assert list(jumps(arguments)) == hosts
