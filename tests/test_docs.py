"""What the documentation says exists, and what exists is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel

from roundsman.__main__ import EXIT_CODES, cli
from roundsman.alerts_config import InhibitRule, Route, TimeInterval
from roundsman.commands.group import CommandGroup
from roundsman.config import Alerts, History, Settings
from roundsman.config import parse as parse_settings
from roundsman.escalation_config import Repeat, Step
from roundsman.exits import ExitCode
from roundsman.oncall_config import Hours, Layer, Person
from roundsman.receivers_config import Alertmanager, Email, Heartbeat, PagerDuty, Receiver, Webhook

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
ALERTS = (ROOT / "docs/alerts.md").read_text()
ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def commands(group: click.Group, prefix: str = "roundsman") -> Iterator[tuple[str, click.Command]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield f"{prefix} {name}", command.command_itself if isinstance(command, CommandGroup) else command
            if isinstance(command, click.Group):
                yield from commands(command, f"{prefix} {name}")


def test_the_readme_names_every_command() -> None:
    listed = re.findall(r"^\| `(roundsman [^`]+)` \|", README, re.MULTILINE)
    documented: set[str] = set()
    for line in listed:
        words = line.split(" [")[0].split()
        *front, last = words
        documented |= {" ".join([*front, one]) for one in last.replace("\\", "").split("|")}
    leaves = {name for name, command in commands(cli) if not isinstance(command, click.Group)}
    assert documented == leaves


def test_every_command_and_option_explains_itself() -> None:
    for name, command in commands(cli):
        assert command.help, name
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.opts}"


def test_exit_codes_are_the_same_everywhere() -> None:
    in_help = {int(number) for number in re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)}
    in_readme = {int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert in_help == in_readme == {int(code) for code in ExitCode}


SECTIONS = [
    (Settings, ""), (Alerts, "alerts."), (History, "history."), (Receiver, ""), (Webhook, ""), (PagerDuty, ""),
    (Alertmanager, ""), (Email, ""), (Heartbeat, "alerts.heartbeat."), (Person, ""),
]  # fmt: skip


@pytest.mark.parametrize(("model", "prefix"), SECTIONS, ids=str)
def test_every_setting_is_documented(model: type[BaseModel], prefix: str) -> None:
    for name, field in model.model_fields.items():
        nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        setting = f"{prefix}{field.alias or name}"
        assert nested or f"`{setting}" in CONFIGURATION, setting


def test_every_key_of_routes_and_rules_is_documented() -> None:
    keys = {
        field.alias or name for one in (Route, InhibitRule, TimeInterval) for name, field in one.model_fields.items()
    }
    assert keys == {key for key in keys if re.search(rf"\b{key}\b", ALERTS)}


def test_every_key_of_steps_and_layers_is_documented() -> None:
    keys = {field.alias or name for one in (Step, Repeat, Layer, Hours) for name, field in one.model_fields.items()}
    assert keys == {key for key in keys if re.search(rf"\b{key}\b", ALERTS)}


def test_the_example_of_schedules_loads() -> None:
    (block,) = re.findall(r"```yaml\nalerts:\n(.*?)```", ALERTS[ALERTS.index("## On call") :], re.DOTALL)
    (schedule,) = parse_settings("alerts:\n" + block, Path("roundsman.yml")).alerts.schedules
    assert len(schedule.layers) == 3


def test_the_examples_of_routes_and_rules_load() -> None:
    """Together they are one roundsman.yml."""
    rules = ALERTS[ALERTS.index("## Routes") : ALERTS.index("## Silences")]
    blocks = re.findall(r"```yaml\nalerts:\n(.*?)```", rules, re.DOTALL)
    alerts = parse_settings("alerts:\n" + "".join(blocks), Path("roundsman.yml")).alerts
    assert alerts.route
    assert alerts.inhibit_rules
    assert alerts.time_intervals


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_of_a_role_lists_its_variables(role: str) -> None:
    folder = ROOT / "roles" / role
    options = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text()) or {}
    listed = set(re.findall(r"^\| `(roundsman_\w+)`", (folder / "README.md").read_text(), re.MULTILINE))
    assert listed == set(options)
    assert set(defaults) <= set(options)


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_help_is_quick_because_it_imports_little() -> None:
    """No clock here: what would make it slow is not imported."""
    heavy = {"ansible", "ansible_runner", "sqlalchemy", "alembic", "pydantic", "rich", "apprise", "httpx", "paramiko"}
    script = (
        "import sys; from roundsman.__main__ import main\ntry: main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "Exit codes" in done.stdout
    assert heavy.isdisjoint(done.stdout.split())
