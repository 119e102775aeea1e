"""README's first command, in a clean clone on machines that have seen nothing of ours: by a user, then by root."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def readme_commands() -> tuple[str, str]:
    """The two set-up commands, as README prints them."""
    section = (ROOT / "README.md").read_text().split("## Try it, and test it")[1].split("\n## ")[0]
    first, second = re.findall(r"```\n(.+?)\n```", section, re.DOTALL)
    return first, second


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    path = tmp_path / "roundsman"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(path)], check=True)
    return path


# Each Debian's Python gets the newest ansible-core that it can run: both ends of what is supported.
@pytest.mark.parametrize(("release", "core"), [("bookworm", "2.19"), ("trixie", "2.21")])
def test_a_plain_user_is_told_what_to_install_and_root_makes_the_rounds(
    newcomer, clone: Path, release: str, core: str
) -> None:
    machine = newcomer(release)
    machine.bring(clone, "/home/anna/roundsman", owner="anna")
    assert machine.run("command -v restic", check=False).returncode != 0

    annas = machine.run(f"cd roundsman && {readme_commands()[0]}", user="anna", check=False)

    assert "memory" in annas.stdout
    assert re.search(r"restic is not installed.*sudo apt-get install restic", annas.stdout, re.DOTALL), annas.stdout
    assert annas.returncode == 2
    assert machine.run("command -v restic", check=False).returncode != 0

    # Where anna tried it, as somebody would who may sudo.
    roots = machine.run(f"cd /home/anna/roundsman && {readme_commands()[0]}", check=False)

    assert "backup of etc" in roots.stdout, roots.stdout
    assert "restored, " in roots.stdout
    assert "1 backup made · 1 restored and compared" in roots.stdout
    # The health of a machine that runs no systemd of its own is what it is; what must not be is a failure to look.
    assert roots.returncode in (0, 1, 2), roots.stdout
    assert "UNKNOWN" not in roots.stdout
    assert f"[core {core}" in machine.run("/home/anna/roundsman/.venv/bin/ansible --version").stdout
