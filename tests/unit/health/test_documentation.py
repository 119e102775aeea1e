"""What the documentation says is what the code does."""

from pathlib import Path

import pytest
import yaml
from ansible_collections.roundsman.fleet.plugins.module_utils.health import ARGUMENT_SPEC, prepare
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import COMMON, FAMILIES, family_of
from ansible_collections.roundsman.fleet.plugins.modules import health as module

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "health"
DOCUMENTATION = yaml.safe_load(module.DOCUMENTATION)


def shown(each):
    """A key's default as the README shows it."""
    if each.required:
        return "required"
    if isinstance(each.default, bool):
        return f"`{str(each.default).lower()}`"
    text = ", ".join(each.default) if isinstance(each.default, tuple) else each.default
    return f"`{text}`" if text not in (None, "") else ""


def section(name):
    return (ROLE / "README.md").read_text().split(f"### {name}\n")[1].split("\n#")[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_key_of_every_family_is_in_the_modules_documentation(name):
    (note,) = [note for note in DOCUMENTATION["notes"] if note.startswith(f"C({name}),")]
    assert [key for key in family_of(name).keys if f"C({key})" not in note] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_every_key_of_every_family_is_in_the_roles_readme_with_its_default(name):
    lines = [line.split("|") for line in section(name).splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line[1:4]] for line in lines]
    expected = {f"`{key}`": shown(each) for key, each in family_of(name).keys.items()}
    assert {key: default for key, default, _meaning in rows} == expected


@pytest.mark.parametrize("name", FAMILIES)
def test_every_default_is_in_the_modules_documentation(name):
    (note,) = [note for note in DOCUMENTATION["notes"] if note.startswith(f"C({name}),")]
    defaults = [shown(each).strip("`") for each in family_of(name).keys.values() if not each.required]
    assert [default for default in defaults if default and default not in note] == []


def test_common_keys_are_documented():
    assert [key for key in COMMON if f"C({key})" not in DOCUMENTATION["notes"][0]] == []


def test_the_modules_options_are_those_of_the_code():
    documented = DOCUMENTATION["options"]
    assert set(documented) == set(ARGUMENT_SPEC)
    for name, spec in ARGUMENT_SPEC.items():
        assert documented[name].get("default") == spec.get("default")
        assert list(documented[name].get("choices", [])) == spec.get("choices", [])


def test_every_family_is_shipped_with_the_plain_module():
    assert {part.FAMILY.name for part in module.SHIPPED} == set(FAMILIES)


def test_the_roles_specs_and_defaults_agree():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(options) == set(defaults)
    for name, option in options.items():
        if name != "roundsman_checks":
            assert option["default"] == defaults[name]
        assert f"| `{name}` |" in (ROLE / "README.md").read_text()


def test_default_checks_and_examples_are_valid():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["roundsman_checks"]
    example = yaml.safe_load(module.EXAMPLES)[0]["roundsman.fleet.health"]["checks"]
    for checks in (defaults, example):
        assert prepare({"checks": checks, "timeout_s": 10})[1] == []
