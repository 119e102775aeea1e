"""Programs of Debian packages that only tests talk to, unpacked into the fleet's cache and never installed."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.fleet.base import cache_dir


def unpacked(package: str) -> Path:
    """The root of the files of a package; without apt or its archive the test is skipped."""
    root = cache_dir() / "packages" / package
    if root.is_dir():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{package}-") as building:
        folder = Path(building)
        try:
            patiently = ["apt-get", "-o", "Acquire::Retries=3", "download", "-qq", package]
            subprocess.run(patiently, cwd=folder, check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            pytest.skip(f"{package} cannot be had from Debian: {getattr(error, 'stderr', error)}")
        (deb,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", deb, folder / "root"], check=True)
        # Another process may have been quicker; what it made is as good.
        with contextlib.suppress(OSError):
            (folder / "root").rename(root)
    return root
