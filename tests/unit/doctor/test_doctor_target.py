"""From an inventory's variables to a target, and from `ssh -G` to a route."""

from __future__ import annotations

import pytest

from roundsman.doctor import Become, HostTarget, target_of
from roundsman.doctor.route import config_file, route_of

FLEET = {"ansible_user": "ops", "ansible_ssh_common_args": "-o UserKnownHostsFile=/srv/known_hosts"}


@pytest.mark.parametrize(
    ("hostvars", "target"),
    [
        ({}, HostTarget("web1")),
        ({"ansible_host": "10.0.0.1", "ansible_port": "2222"}, HostTarget("web1", address="10.0.0.1", port=2222)),
        ({"ansible_host": "a", "ansible_ssh_host": "b"}, HostTarget("web1", address="b")),
        ({"ansible_connection": "ansible.builtin.local"}, HostTarget("web1", connection="local")),
        ({"ansible_connection": "winrm"}, HostTarget("web1", connection="winrm")),
        (
            {"ansible_ssh_args": "-C", "ansible_ssh_common_args": '-o "ProxyJump=a b"', "ansible_ssh_extra_args": "-4"},
            HostTarget("web1", ssh_args=("-C", "-o", "ProxyJump=a b", "-4")),
        ),
        ({"ansible_become": False, "ansible_become_user": "root"}, HostTarget("web1")),
        ({"ansible_become": "yes"}, HostTarget("web1", become=Become())),
        (
            {"ansible_become": True, "ansible_become_user": "app", "ansible_become_pass": "x"},
            HostTarget("web1", become=Become("sudo", "app", None, "x")),
        ),
    ],
)
def test_target(hostvars: dict[str, object], target: HostTarget) -> None:
    assert target_of("web1", hostvars, {}) == target


def test_the_inventory_overrides_the_defaults() -> None:
    target = target_of("web1", {"ansible_user": "deploy"}, FLEET)
    assert (target.user, target.ssh_args) == ("deploy", ("-o", "UserKnownHostsFile=/srv/known_hosts"))


@pytest.mark.parametrize(
    ("hostvars", "unresolved", "blocked"),
    [
        ({"ansible_host": "{{ address }}"}, ("ansible_host",), "ansible_host"),
        ({"ansible_password": "{{ vault }}"}, ("ansible_password",), None),
        ({"ansible_password": {"__ansible_vault": "$ANSIBLE_VAULT;…"}}, ("ansible_password",), None),
        ({"motd": "{{ not_needed }}"}, (), None),
        ({"ansible_port": "ssh"}, (), "its connection variables (invalid literal for int() with base 10: 'ssh')"),
        ({"ansible_ssh_extra_args": "-o 'open"}, (), "its connection variables (No closing quotation)"),
    ],
)
def test_what_is_not_known_here(hostvars: dict[str, object], unresolved: tuple[str, ...], blocked: str | None) -> None:
    target = target_of("web1", hostvars, {})
    assert (target.unresolved, target.blocked) == (unresolved, blocked)


PRINTED = """\
user ops
hostname web1.example
port 2222
identityfile ~/.ssh/id_rsa
identityfile /keys/ops
userknownhostsfile /srv/known_hosts none
globalknownhostsfile /etc/ssh/ssh_known_hosts
"""


def test_route() -> None:
    route = route_of(PRINTED)
    assert (route.host, route.port, route.user) == ("web1.example", 2222, "ops")
    assert (route.key_name, route.bare_name) == ("[web1.example]:2222", "web1.example")
    assert route.known_hosts_files == ("/srv/known_hosts", "/etc/ssh/ssh_known_hosts")
    assert route.identity_files == ("~/.ssh/id_rsa", "/keys/ops")
    assert (route.identities_only, route.agent, route.proxy_command) == (False, "SSH_AUTH_SOCK", None)


@pytest.mark.parametrize(
    ("option", "command"),
    [
        ("proxycommand none", None),
        ("proxycommand nc -X %% %h %p %r", "nc -X % web1.example 2222 ops"),
        (
            "proxyjump gate",
            "ssh -F cfg -o BatchMode=yes -o StrictHostKeyChecking=yes -W '[web1.example]:2222' ssh://gate",
        ),
        (
            "proxyjump ann@outer:22,inner",
            "ssh -F cfg -o BatchMode=yes -o StrictHostKeyChecking=yes -J ann@outer:22 -W '[web1.example]:2222' ssh://inner",
        ),
    ],
)
def test_proxy(option: str, command: str | None) -> None:
    assert route_of(PRINTED + option + "\n", "cfg").proxy_command == command


def test_the_config_file_of_a_jump() -> None:
    assert config_file(("-o", "X=y", "-F", "/etc/own")) == "/etc/own"
    assert config_file(("-F/etc/own",)) == "/etc/own"
    assert config_file(("-o", "X=y")) is None
