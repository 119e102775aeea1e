"""What people install: the wheel, an editable checkout, the tarball of the collection. Built from a copy, in new venvs.

A new venv borrows the dependencies of the running one by a .pth file: nothing is downloaded, and the .pth files of the
running venv (its own editable install of this checkout) are not followed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COLLECTION = "ansible_collections/roundsman/fleet"
SHIPPED = {
    "cli/roundsman": "roundsman",
    "inventory": "roundsman/inventory",
    "meta": f"{COLLECTION}/meta",
    "playbooks": f"{COLLECTION}/playbooks",
    "plugins": f"{COLLECTION}/plugins",
    "roles": f"{COLLECTION}/roles",
}
LEFT_BEHIND = shutil.ignore_patterns(
    ".*", "__pycache__", "*.pyc", "*.egg-info", "dist", "build", "tests", "roundsman-fleet-*.tar.gz"
)


def run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    """Output of a command that must succeed."""
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Installed:
    """A fresh venv, used from a foreign directory and with next to no environment."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.python = folder / "bin" / "python"
        venv.create(folder, with_pip=False, symlinks=True)
        self.home.mkdir()
        borrowed = sysconfig.get_path("purelib")
        (self.purelib / "borrowed.pth").write_text(f"{borrowed}\n")

    @property
    def purelib(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def pip_install(self, *what: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", self.python)
        run(*pip, "install", "--no-deps", "--no-index", "--no-build-isolation", *what, cwd=self.home)

    def __call__(self, *command: str | Path, **environment: str) -> str:
        only = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", **environment}
        return run(*command, cwd=self.home, environment=only)

    def ansible(self, program: str, *arguments: str | Path, **environment: str) -> str:
        return self(self.python, "-m", "ansible", program, *arguments, **environment)

    def documented(self, kind: str, names: list[str]) -> dict[str, Path]:
        """Where ansible-doc found each plugin; it fails when one is missing or its documentation is broken."""
        shown = json.loads(self.ansible("doc", "-j", "-t", kind, *(f"roundsman.fleet.{name}" for name in names)))
        return {name: Path(shown[f"roundsman.fleet.{name}"]["doc"]["filename"]) for name in names}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as a clean clone would hold it (dotfiles that packaging reads included)."""
    copy = tmp_path_factory.mktemp("checkout") / "roundsman"
    shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
    shutil.copy(ROOT / ".gitignore", copy)
    (copy / "tests").mkdir()
    (copy / "tests" / "test_that_stays_here.py").write_text("")
    return copy


def files(folder: Path) -> Iterator[str]:
    """What a person wrote there; an earlier test's Ansible may have compiled some of it."""
    written = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return (str(path.relative_to(folder)) for path in written)


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, checkout, cwd=checkout)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("from-wheel"))
    installed.pip_install(wheel)
    return installed


@pytest.fixture(scope="module")
def from_checkout(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("from-checkout"))
    installed.pip_install("--editable", checkout)
    return installed


@pytest.fixture(scope="module")
def tarball(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tarball")
    run(sys.executable, "-m", "ansible", "galaxy", "collection", "build", checkout, "--output-path", out, cwd=out)
    (built,) = out.glob("roundsman-fleet-*.tar.gz")
    return built


def test_the_wheel_holds_every_file_and_nothing_else(wheel: Path, checkout: Path) -> None:
    wanted = {f"{there}/{name}" for here, there in SHIPPED.items() for name in files(checkout / here)}
    wanted.add(f"{COLLECTION}/galaxy.yml")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert wanted - held == set(), "left out of the wheel"
    assert held - wanted == set(), "in the wheel by mistake"


def test_the_version_has_one_source(wheel: Path, tarball: Path) -> None:
    galaxy = (ROOT / "galaxy.yml").read_text()
    version = next(line.split()[1] for line in galaxy.splitlines() if line.startswith("version:"))
    assert wheel.name.split("-")[1] == version
    assert tarball.name == f"roundsman-fleet-{version}.tar.gz"


def test_the_command_line_starts_from_the_wheel(from_wheel: Installed) -> None:
    assert "0." in from_wheel(from_wheel.folder / "bin" / "roundsman", "--version")
    assert "rounds" in from_wheel(from_wheel.folder / "bin" / "roundsman", "--help")


@pytest.mark.parametrize(("kind", "folder"), [("module", "modules"), ("callback", "callback")])
def test_ansible_finds_the_plugins_of_the_wheel(from_wheel: Installed, kind: str, folder: str) -> None:
    names = sorted(path.stem for path in (ROOT / "plugins" / folder).glob("[!_]*.py"))
    installed = from_wheel.purelib / COLLECTION / "plugins" / folder
    assert from_wheel.documented(kind, names) == {name: installed / f"{name}.py" for name in names}
    assert {"module": "health", "callback": "ledger"}[kind] in names


def playbooks() -> list[str]:
    return sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("playbook", playbooks() or ["health"])
def test_ansible_runs_the_playbooks_of_the_wheel(from_wheel: Installed, playbook: str) -> None:
    check = ("--syntax-check", "-i", "localhost,")
    assert "playbook:" in from_wheel.ansible("playbook", f"roundsman.fleet.{playbook}", *check)


def test_an_editable_install_is_found_by_ansible_in_the_checkout(from_checkout: Installed, checkout: Path) -> None:
    found = from_checkout.documented("module", ["health"])["health"]
    assert found.resolve() == checkout / "plugins/modules/health.py"
    from_checkout.ansible("playbook", "roundsman.fleet.health", "--syntax-check", "-i", "localhost,")
    assert not (from_checkout.purelib / "ansible_collections").exists(), "a stub here would hide the checkout"


def test_the_tarball_holds_the_collection_only(tarball: Path, checkout: Path) -> None:
    with tarfile.open(tarball) as archive:
        held = {member.name for member in archive if member.isfile()}
    wanted = {f"{part}/{name}" for part in ("meta", "playbooks", "plugins", "roles") for name in files(checkout / part)}
    assert wanted - held == set(), "left out of the tarball"
    allowed = wanted | {"MANIFEST.json", "FILES.json", "README.md", "LICENSE"}
    assert {name for name in held - allowed if not name.startswith("changelogs/")} == set(), "in the tarball by mistake"


def test_the_tarball_installs_and_works_without_the_command_line(
    tarball: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bare = Installed(tmp_path_factory.mktemp("bare"))
    place = bare.home / ".ansible" / "collections"
    bare.ansible("galaxy", "collection", "install", "--offline", tarball, "-p", place)
    assert bare.documented("module", ["health"])["health"].is_relative_to(place / COLLECTION)
    bare.ansible("playbook", "roundsman.fleet.health", "--syntax-check", "-i", "localhost,")
