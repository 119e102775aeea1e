"""What the documentation says is what the code does."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from ansible_collections.roundsman.fleet.plugins.module_utils.family import AREAS
from ansible_collections.roundsman.fleet.plugins.module_utils.health import ARGUMENT_SPEC, prepare
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import COMMON, FAMILIES, family_of
from ansible_collections.roundsman.fleet.plugins.modules import health as module

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "health"
PAGE = (ROOT / "docs" / "health.md").read_text()
COLLECTION = "ansible_collections.roundsman.fleet.plugins"
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
    """What docs/health.md says of one family."""
    return PAGE.split(f"\n### {name}\n")[1].split("\n#")[0]


def area_of(name):
    """The heading under which docs/health.md has a family."""
    return re.findall(r"^## (.+)$", PAGE.split(f"\n### {name}\n")[0], re.MULTILINE)[-1].lower()


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", section(name), re.MULTILINE | re.DOTALL)


def rows(text):
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    return {line[1].strip().strip("`"): line[2].strip() for line in lines}


def notes():
    """The notes of the module, those of its fragments included."""
    found = list(DOCUMENTATION["notes"])
    for area in AREAS:
        fragment = import_module(f"{COLLECTION}.doc_fragments.checks_{area}").ModuleDocFragment
        found += yaml.safe_load(fragment.DOCUMENTATION)["notes"]
    return found


def note_of(name):
    (note,) = [note for note in notes() if note.startswith(f"C({name}),")]
    return note


def test_the_page_has_a_section_for_every_family_and_no_other():
    assert sorted(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == sorted(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_on_the_page_with_its_area_its_keys_and_their_defaults(name):
    family = family_of(name)
    assert area_of(name) == family.area
    assert rows(section(name)) == {key: shown(each) for key, each in family.keys.items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_an_example_that_is_valid_and_its_output(name):
    (example,) = blocks(name, "yaml")
    checks = yaml.safe_load(example)
    assert {check["type"] for check in checks} == {name}
    assert prepare({"checks": checks, "timeout_s": 10})[1] == []
    (output,) = blocks(name, "text")
    assert all(re.match(r"(OK|WARNING|CRITICAL|UNKNOWN) \S", line) for line in output.splitlines())


@pytest.mark.parametrize("name", FAMILIES)
def test_every_key_and_default_is_in_the_modules_documentation(name):
    keys = family_of(name).keys
    defaults = [shown(each).strip("`") for each in keys.values() if not each.required]
    assert [key for key in keys if f"C({key})" not in note_of(name)] == []
    assert [default for default in defaults if default and default not in note_of(name)] == []


def test_common_keys_are_documented():
    assert [key for key in COMMON if f"C({key})" not in DOCUMENTATION["notes"][0]] == []
    common = PAGE.split("\n## Keys of every check\n")[1].split("\n## ")[0]
    assert rows(common) == {key: shown(each) for key, each in COMMON.items()}


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
        if name != "roundsman_default_checks":
            assert option["default"] == defaults[name]
        assert f"| `{name}` |" in (ROLE / "README.md").read_text()


def test_default_checks_and_examples_are_valid():
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["roundsman_default_checks"]
    example = yaml.safe_load(module.EXAMPLES)[0]["roundsman.fleet.health"]["checks"]
    for checks in (defaults, example):
        assert prepare({"checks": checks, "timeout_s": 10})[1] == []
