"""`alerts test`, as a person types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roundsman.__main__ import cli
from roundsman.exits import ExitCode

from ..notify.mail_server import MailServer, mail_server
from ..notify.pagerduty_endpoint import PagerDutyEndpoint, pagerduty_endpoint
from ..notify.servers import Server, http_server

KEY = "0123456789abcdef0123456789abcdef"


class Desk:
    """One receiver with a webhook, PagerDuty and mail."""

    def __init__(self, folder: Path, hook: Server, pagerduty: PagerDutyEndpoint, mail: MailServer) -> None:
        self.hook, self.pagerduty, self.mail = hook, pagerduty, mail
        self.config = folder / "roundsman.yml"
        self.config.write_text(
            f"state_dir: {folder / 'state'}\n"
            "alerts:\n"
            "  receivers:\n"
            "    - name: team\n"
            f"      webhooks: [{{url: 'http://alice:geheim-0815@127.0.0.1:{hook.port}/token4711'}}]\n"
            f"      pagerduty: [{{routing_key: {KEY}, url: '{pagerduty.url}'}}]\n"
            "      email:\n"
            f"        - {{to: bob@example.org, from: r@example.org, smarthost: '127.0.0.1:{mail.port}', tls: none}}\n"
            "    - {name: empty}\n"
            "  route: {receiver: team}\n"
            f"  people: {{anna: {{webhooks: [{{url: 'http://127.0.0.1:{hook.port}/anna'}}]}}}}\n"
        )

    def test(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["alerts", "test", *arguments, "--config", str(self.config)])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with http_server() as hook, pagerduty_endpoint() as pagerduty, mail_server() as mail:
        yield Desk(tmp_path, hook, pagerduty, mail)


def test_every_target_gets_a_message_that_says_that_it_is_a_test(desk: Desk) -> None:
    done = desk.test("team", "--by", "anna")
    assert (done.exit_code, done.output.splitlines()) == (
        ExitCode.FINE,
        [
            "team/webhook/1    delivered: HTTP 200 OK",
            "team/pagerduty/1  delivered: HTTP 202 Accepted",
            "team/email/1      delivered: accepted by 127.0.0.1",
            "3 of 3 targets took the test; `roundsman alerts test team --resolved` ends it where it opened something",
        ],
    )
    said = "WARNING example-host: TEST by anna: nothing is wrong, receiver team is being tried"
    assert desk.hook.documents[0]["title"] == desk.mail.mails[0]["Subject"] == said
    assert desk.pagerduty.events[0]["payload"]["summary"] == said
    assert not (desk.config.parent / "state").exists()


def test_its_end_ends_what_it_opened(desk: Desk) -> None:
    desk.test("team")
    assert list(desk.pagerduty.incidents.values()) == ["triggered"]
    assert desk.test("team", "--resolved").output.endswith("3 of 3 targets took the test\n")
    assert list(desk.pagerduty.incidents.values()) == ["resolved"]


def test_failures_are_told_without_secrets(desk: Desk) -> None:
    desk.hook.behaviours = [(410, {})] * 2
    desk.mail.answers = {"RCPT": ["450 greylisted"] * 2}
    done = desk.test("team")
    assert done.exit_code == ExitCode.CRITICAL
    assert "team/webhook/1    FAILED: HTTP 410 Gone\n" in done.output
    assert "team/email/1      FAILED: 127.0.0.1: 450 greylisted\n" in done.output
    assert "1 of 3 targets took the test" in done.output
    told: list[dict[str, Any]] = json.loads(desk.test("team", "--json").output)
    assert [(one["target"], one["ok"], one["permanent"]) for one in told] == [
        ("team/webhook/1", False, True), ("team/pagerduty/1", True, False), ("team/email/1", False, False),
    ]  # fmt: skip
    assert not [word for word in ("geheim", "token4711", KEY) if word in done.output + str(told)]


def test_people_can_be_tried_too(desk: Desk) -> None:
    assert desk.test("anna").output.startswith("anna/webhook/1  delivered: HTTP 200 OK\n1 of 1 targets")


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        ("nobody", "there is nobody called 'nobody' (there are: team, empty, anna)"),
        ("empty", "receiver 'empty' has no target"),
    ],
)
def test_what_cannot_be_tried(desk: Desk, receiver: str, said: str) -> None:
    done = desk.test(receiver)
    assert done.exit_code != 0
    assert said in done.output
