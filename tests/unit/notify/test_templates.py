"""A receiver's own templates: what they make, and what happens when they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from roundsman.alerts.model import Notify
from roundsman.config import Settings, parse
from roundsman.config_file import ConfigError
from roundsman.delivery import manners
from roundsman.notify.backups import last_proven
from roundsman.notify.sample import template_fault
from roundsman.notify.templates import DEFAULT_TEXT, Style

from .cast import full_disk, heard, message, problem, repaired_disk

OWN = Style(
    title="[{{ severity }}] {{ host }} ({{ alerts | length }})",
    text="{% for alert in firing %}\n{{ alert.host }}: {{ alert.summary }} since {{ alert.since | utc }}\n{% endfor %}",
)


def test_a_receiver_has_its_own_words() -> None:
    told = message(full_disk(), heard(problem("load", "load 9")), style=OWN)
    assert told.title == "[CRITICAL] web3 (2)"
    assert told.text == (
        "web3: /var 97% used since 2026-11-23 02:00:00 UTC\nweb3: load 9 since 2026-11-23 02:00:00 UTC\n"
    )


BROKEN = [
    # template, what is said of it
    ("{{ hots }}", "UndefinedError: 'hots' is undefined"),
    ("{% for alert in alerts %}", "line 1: Unexpected end of template."),
    ("{{ alerts[0].evidence.no_such }}", "UndefinedError: 'dict object' has no attribute 'no_such'"),
    ("{{ alerts[0].since + 1 }}", "TypeError: unsupported operand"),
    ("{{ alerts[0].__class__.__mro__ }}", "SecurityError: access to attribute '__class__'"),
    ("{{ alerts.clear() }}", "SecurityError: "),
    ("{% include 'other' %}", "TypeError: no loader for this environment specified"),
    ("{{ range(1000000) | length }}", "OverflowError: Range too big."),
    ("  \n ", "it makes nothing"),
]


@pytest.mark.parametrize(("template", "said"), BROKEN)
def test_a_broken_template_costs_nobody_the_news(template: str, said: str) -> None:
    told = message(style=Style(title=template, text=template))
    assert told.title == message().title
    assert told.text.startswith(message().text)
    for name in ("title", "text"):
        assert f"(The {name} template of receiver team failed, this is the default: {said}" in told.text


@pytest.mark.parametrize(("template", "said"), BROKEN)
def test_a_broken_template_is_found_before(template: str, said: str) -> None:
    assert str(template_fault(template)).startswith(said)


@pytest.mark.parametrize("template", [DEFAULT_TEXT, OWN.title, "{{ alerts[0].evidence.value | default('-') }}"])
def test_what_can_be_used_has_no_fault(template: str) -> None:
    assert template_fault(template) is None


def test_what_only_some_alerts_have_is_found_before() -> None:
    assert template_fault("{{ alerts[0].evidence.value }} of {{ alerts[0].until | utc }}") is not None
    assert template_fault("{% for alert in alerts %}{{ alert.evidence.value }}{% endfor %}") is not None


def configured(receiver: str, folder: Path) -> Settings:
    text = f"alerts:\n  external_url: https://x.org\n  receivers:\n    - name: team\n      {receiver}\n"
    return parse(text, folder / "roundsman.yml")


def test_templates_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "team.j2").write_text("{{ host }} ä\n")
    settings = configured("text: {file: team.j2}", tmp_path)
    assert manners(settings.alerts)["team"].style == Style(None, "{{ host }} ä\n", "https://x.org")


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        (
            "title: '{{ hots }}'",
            "roundsman.yml:5: alerts.receivers.0.title: cannot be used as a template: UndefinedError",
        ),
        ("text: {file: gone.j2}", "roundsman.yml:5: alerts.receivers.0.text: gone.j2: No such file or directory"),
    ],
)
def test_the_configuration_names_what_is_wrong(tmp_path: Path, receiver: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        configured(receiver, tmp_path)
    assert said in str(raised.value)


def test_the_default_text_has_all_that_is_known() -> None:
    news = heard(problem("disk", "/var full", runbook_url="https://wiki/disk", value=97))
    told = message(news, style=Style(external_url="https://rounds.example.org/"), backups={"web3": "etc of today"})
    assert told.text.endswith(
        "  Evidence: value 97\n"
        "  Run:      01JD\n"
        "  Backup:   etc of today\n"
        "  Runbook:  https://wiki/disk\n"
        "  Try:      roundsman health web3\n"
        "  More:     roundsman alerts show 5c12bc8c40ac\n"
        "  Answer:   https://rounds.example.org/alerts/5c12bc8c40ac\n"
    )


def test_nothing_is_recommended_for_what_is_over() -> None:
    told = message(repaired_disk(), style=Style(external_url="https://x.org"), backups={"web3": "etc of today"})
    assert not [word for word in ("Try:", "Answer:", "Backup:") if word in told.text]


COMMANDS = [
    ("data-disk", "roundsman health web3"),
    ("reachable", "roundsman doctor --limit web3"),
    ("backup:shop", "roundsman backup run --limit web3"),
    ("fresh-drill:shop", "roundsman backup drill --limit web3"),
    ("isolated", "roundsman doctor"),
    ("rounds", "roundsman runs list"),
    ("silences", "roundsman alerts silence list"),
    ("run:roundsman.fleet.backup", "roundsman runs show 01JD"),
]


@pytest.mark.parametrize(("check", "command"), COMMANDS)
def test_what_is_recommended(check: str, command: str) -> None:
    assert message(heard(problem(check, "x"))).alerts[0].recommended == command


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x y", "https://x\n", 5, None])
def test_only_addresses_become_links(address: object) -> None:
    assert message(heard(problem("disk", "x", runbook_url=address))).alerts[0].runbook_url is None


def storm() -> list[Notify]:
    return [heard(problem(f"check{number}", "x")) for number in range(30)]


def test_a_storm_is_told_in_short() -> None:
    text = message(*storm()).text
    assert text.count("Where:") == 20
    assert text.endswith("\nand 10 more: roundsman alerts list\n")


def snapshot(source: str, day: int, level: str | None, **more: object) -> dict[str, object]:
    kept = {"host": "web3", "source": source, "time": f"2026-11-{day}T03:00:00.000Z", "level": level}
    return {"complete": True, "failed_level": None, **kept, **more}


def test_what_could_be_restored() -> None:
    rows = [
        snapshot("etc", 24, "stored"), snapshot("etc", 23, "restored"), snapshot("etc", 22, "proven"),
        snapshot("shop", 24, "proven", failed_level="read"), snapshot("shop", 21, "proven"),
    ]  # fmt: skip
    assert last_proven(rows) == {
        "web3": "etc of 2026-11-23 03:00:00 UTC (restored), shop of 2026-11-21 03:00:00 UTC (proven)"
    }
    assert last_proven(rows[:1]) == {"web3": "no snapshot was seen restored yet"}
    assert last_proven([]) == {}
    assert last_proven([snapshot(f"s{n}", 20, "proven") for n in range(7)])["web3"].endswith(", 2 more")


def test_the_documented_templates_can_be_used() -> None:
    documentation = (Path(__file__).parents[3] / "docs/alerts.md").read_text("utf-8")
    example = yaml.safe_load(documentation.partition("### Templates")[2].partition("```yaml\n")[2].partition("```")[0])
    (receiver,) = example["receivers"]
    assert template_fault(receiver["title"]) is template_fault(receiver["text"]) is None
    own = Style(receiver["title"], receiver["text"])
    assert message(style=own).text == "disk: /var 97% used\n"
    assert message(repaired_disk(), style=own).text == "all fine\n"
