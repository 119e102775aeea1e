"""What the roles take is documented, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = ("prepare", "backup", "verify", "restore", "prune", "coverage")


@pytest.mark.parametrize("role", ROLES)
def test_readme_defaults_and_argument_specs_agree(role: str) -> None:
    folder = ROOT / "roles" / role
    options = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text())
    documented = re.findall(r"^\| `(\w+)` \|", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(options)
    promised = {name: option["default"] for name, option in options.items() if "default" in option}
    assert promised == {name: value for name, value in defaults.items() if "omit" not in str(value)}
    assert set(defaults) - set(promised) <= {name for name, option in options.items() if not option.get("required")}
    used = set(re.findall(r"\broundsman_\w+", (folder / "tasks/main.yml").read_text()))
    assert set(options) <= used
