"""Receivers of roundsman.yml: what they become, and what is wrong with them in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from roundsman.config import Settings, parse
from roundsman.config_file import ConfigError
from roundsman.delivery import channels_of, faults

HERE = Path("/etc/roundsman/roundsman.yml")
KEY = "0123456789abcdef0123456789abcdef"


def settings(receiver: str) -> Settings:
    return parse(f"alerts: {{receivers: [{{name: team, {receiver}}}]}}", HERE)


def test_every_target_has_a_name_without_secrets() -> None:
    read = settings(
        "urls: ['ntfy://geheim', 'https://a:geheim@x'], webhooks: [{url: 'https://geheim'}], "
        f"pagerduty: [{{routing_key: {KEY}}}], alertmanagers: [{{url: 'http://one'}}, {{url: 'http://two'}}], "
        "email: [{to: [a@x.org, b@x.org], from: r@x.org, smarthost: 'mail:25', username: u, password: geheim}]"
    )
    names = list(channels_of(read)["team"])
    assert names == [
        "team/url/1", "team/url/2", "team/webhook/1", "team/pagerduty/1", "team/alertmanager/1", "team/alertmanager/2",
        "team/email/1", "team/email/2",
    ]  # fmt: skip
    assert faults(read) == []


def test_faults_of_targets_are_told_without_their_secrets() -> None:
    wrong = faults(settings("pagerduty: [{routing_key: geheim}], webhooks: [{url: 'https://'}]"))
    assert wrong == [
        "team/webhook/1: not a usable http:// or https:// URL: it names no host",
        "team/pagerduty/1: routing_key is not the key of an Events API v2 integration: 32 letters and digits",
    ]


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        ("pagerduty: [{}]", "alerts.receivers.0.pagerduty.0.routing_key: Field required"),
        ("pagerduty: [{routing_key: {env: NOT_SET_ANYWHERE}}]", "the environment variable NOT_SET_ANYWHERE is not set"),
        (
            "webhooks: [{url: 'https://x', timeout: 2min}]",
            "alerts.receivers.0.webhooks.0.timeout: Input should be",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(receiver: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"/etc/roundsman/roundsman\.yml:1: ") as raised:
        settings(receiver)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("smarthost", "server"),
    [("mail.example.org:587", ("mail.example.org", 587)), ("[2001:db8::1]:25", ("2001:db8::1", 25))],
)
def test_a_smarthost_is_host_and_port(smarthost: str, server: tuple[str, int]) -> None:
    read = settings(f"email: [{{to: a@x, from: r@x, smarthost: '{smarthost}'}}]")
    assert read.alerts.receivers[0].email[0].server == server
