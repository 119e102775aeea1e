"""The rungs on this machine: what Ansible runs with, and which copy of the collection it will find."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .model import Finding, Status

CORE_MINIMUM = (2, 19)
RUNNER_MINIMUM = (2, 4)
COLLECTION = Path("ansible_collections/roundsman/fleet")


def check_controller(environment: Mapping[str, str], home: Path) -> list[Finding]:
    """All findings, good and bad; one does not depend on the other."""
    return [
        Finding("controller_python", Status.OK, f"Python {platform.python_version()}"),
        _package("ansible-core", CORE_MINIMUM),
        _package("ansible-runner", RUNNER_MINIMUM),
        _ssh_client(),
        _restic(),
        *_collection(environment, home),
    ]


def version_of(text: str) -> tuple[int, int] | None:
    """The first two numbers of a version: 2.19.4rc1 -> (2, 19)."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def python_floor() -> tuple[int, int]:
    """The oldest Python on hosts that the installed ansible-core supports (its support matrix: 2.19 3.8, 2.20 3.9)."""
    try:
        core = version_of(importlib.metadata.version("ansible-core"))
    except importlib.metadata.PackageNotFoundError:
        core = None
    return (3, 9) if core and core >= (2, 20) else (3, 8)


def _package(name: str, minimum: tuple[int, int]) -> Finding:
    needed = f"{minimum[0]}.{minimum[1]}"
    remedy = f"pip install '{name}>={needed}' (in the environment that roundsman runs in)"
    rung = name.replace("-", "_")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(rung, Status.FAILED, f"{name} is not installed", remedy)
    if (version_of(version) or (0, 0)) < minimum:
        return Finding(rung, Status.FAILED, f"{name} {version} is too old: {needed} or newer is needed", remedy)
    return Finding(rung, Status.OK, f"{name} {version}")


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    return ((done.stdout + done.stderr).strip().splitlines() or ["says nothing"])[0]


def _ssh_client() -> Finding:
    if shutil.which("ssh") is None:
        return Finding("ssh_client", Status.FAILED, "no ssh client here", "apt-get install openssh-client")
    return Finding("ssh_client", Status.OK, _first_line(["ssh", "-V"]))


def _restic() -> Finding:
    """Backups run on the hosts; restic here serves this machine's own backup, and looking into repositories by hand."""
    if shutil.which("restic") is None:
        message = "no restic here; needed only to back up this machine"
        return Finding("restic", Status.SKIPPED, message, "apt-get install restic")
    return Finding("restic", Status.OK, _first_line(["restic", "version"]))


def _collection(environment: Mapping[str, str], home: Path) -> list[Finding]:
    ours = collection_paths()
    if not ours:
        message = "Ansible will not find the collection roundsman.fleet"
        return [Finding("collection", Status.FAILED, message, "pip install --force-reinstall roundsman")]
    found = Finding("collection", Status.OK, f"roundsman.fleet {collection_version(ours[0])} at {ours[0]}")
    return [found, *(_shadow(path) for path in shadows(ours[0], environment, home))]


def collection_paths() -> list[Path]:
    """Where `ansible_collections.roundsman.fleet` lies on sys.path, which Ansible searches as well."""
    try:
        spec = importlib.util.find_spec("ansible_collections.roundsman.fleet")
    except ModuleNotFoundError:
        return []
    return [Path(place) for place in spec.submodule_search_locations or ()] if spec else []


def shadows(ours: Path, environment: Mapping[str, str], home: Path) -> list[Path]:
    """Copies in Ansible's own search path, which plain ansible-playbook takes before the installed one."""
    default = f"{home}/.ansible/collections:/usr/share/ansible/collections"
    searched = environment.get("ANSIBLE_COLLECTIONS_PATH") or default
    places = [Path(os.path.expanduser(place)) / COLLECTION for place in searched.split(":") if place]  # noqa: PTH111
    return [place for place in places if place.is_dir() and place.resolve() != ours.resolve()]


def _shadow(path: Path) -> Finding:
    version = collection_version(path)
    message = f"another copy, {version}, at {path}: plain ansible-playbook takes it; roundsman does not"
    return Finding("collection", Status.WARNING, message, f"remove it if nothing needs it: rm -r {path}")


def collection_version(path: Path) -> str:
    """From MANIFEST.json (installed from a tarball) or galaxy.yml (wheel, checkout)."""
    try:
        manifest = json.loads((path / "MANIFEST.json").read_text())
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        found = re.search(r"^version: *(\S+)", (path / "galaxy.yml").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else "of unknown version"
