"""Every tool that judges the source, one test each. A failure shows the tool's own words."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GET_PIP = Path(__file__).parent / "quality" / "get_pip.py"
SCRIPTS = ("tests/run", ".ci/run")
# What `ansible-galaxy collection build` ships. The rest of the repository is for ruff and mypy to judge.
SHIPPED = ("plugins", "roles", "playbooks", "meta", "changelogs", "galaxy.yml", "README.md", "LICENSE")
NO_NETWORK = ("Download failed", "No matching distribution found", "NewConnectionError", "Temporary failure in name")


def tool_path() -> str:
    """Real Pythons first: ansible-test takes the first that has the right name, and a pyenv shim may not run."""
    places = [Path(sys.base_prefix) / "bin", Path(sys.executable).parent]
    return os.pathsep.join([*map(str, places), os.environ.get("PATH", os.defpath)])


def judge(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    environment = {**os.environ, "PATH": tool_path(), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    for name in [name for name in environment if name.startswith(("ANSIBLE_", "PYTHON"))]:
        del environment[name]
    return subprocess.run(
        words, cwd=cwd, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def assert_clean(verdict: subprocess.CompletedProcess[str]) -> None:
    if verdict.returncode != 0:
        pytest.fail(f"{' '.join(verdict.args)}\n{verdict.stdout}", pytrace=False)


def program(name: str) -> str:
    """Path of a tool; without it the test is skipped here, and fails where CI promises to have it."""
    found = shutil.which(name, path=tool_path())
    if found is None:
        give_up(f"{name} is not installed: nothing was judged by it")
    return found


def give_up(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def test_ruff() -> None:
    assert_clean(judge(program("ruff"), "check", "--no-cache", "."))


def test_mypy() -> None:
    assert_clean(judge(program("mypy")))


def test_ansible_lint() -> None:
    assert_clean(judge(program("ansible-lint"), "--profile", "production", "--offline", "--nocolor", "--strict"))


def test_role_variables_carry_the_prefix() -> None:
    """Replaces ansible-lint's var-naming[no-role-prefix]: see .ansible-lint."""
    strange = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in sorted([*ROOT.glob("roles/*/defaults/*.yml"), *ROOT.glob("roles/*/vars/*.yml")])
        for name in yaml.safe_load(file.read_text()) or {}
        if not name.startswith(("roundsman_", "__roundsman_"))
    ]
    assert strange == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck(script: str) -> None:
    if not (ROOT / script).exists():
        pytest.fail(f"{script} is missing", pytrace=False)
    if shutil.which("shellcheck") is None:
        pytest.skip(f"shellcheck is not installed (apt-get install shellcheck): {script} was not judged")
    assert_clean(judge("shellcheck", "--norc", script))


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is shipped, in the folder layout that ansible-test insists on, outside of any git work tree."""
    place = tmp_path_factory.mktemp("sanity") / "ansible_collections" / "roundsman" / "fleet"
    place.mkdir(parents=True)
    for part in SHIPPED:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, place / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, place)
    if (ROOT / "tests" / "sanity").is_dir():
        shutil.copytree(ROOT / "tests" / "sanity", place / "tests" / "sanity")
    return place


def sanity(collection: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    provide_get_pip()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = (program("ansible-test"), "sanity", "--local", "--color", "no", "--python", version, *arguments)
    verdict = judge(*command, cwd=collection)
    if verdict.returncode != 0 and any(words in verdict.stdout for words in NO_NETWORK):
        give_up(f"ansible-test could not fetch its requirements:\n{verdict.stdout[-2000:]}")
    return verdict


def provide_get_pip() -> None:
    """ansible-test would download get-pip.py; its cache is where it looks first."""
    spec = importlib.util.find_spec("ansible_test")
    assert spec is not None
    assert spec.origin is not None
    wanted = (Path(spec.origin).parent / "_internal" / "python_requirements.py").read_text()
    version = re.search(r"pip='([0-9.]+)'", wanted)
    assert version, "ansible-test names its pip in another way now: look at python_requirements.py"
    cached = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version[1].replace('.', '_')}.py"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(GET_PIP, cached)


def test_ansible_test_sanity(collection: Path) -> None:
    assert_clean(sanity(collection))


def test_ansible_test_looks_at_our_files(collection: Path, tmp_path: Path) -> None:
    """It is silent where it finds nothing to look at, so a planted fault must be found."""
    copy = tmp_path / "ansible_collections" / "roundsman" / "fleet"
    shutil.copytree(collection, copy)
    (copy / "plugins" / "module_utils" / "planted.py").write_bytes(b"WINDOWS = True\r\n")
    verdict = sanity(copy, "--test", "line-endings")
    assert verdict.returncode != 0
    assert "plugins/module_utils/planted.py" in verdict.stdout
