"""Anna with every restic at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .cast import Anna, engines


@pytest.fixture(params=sorted(engines()) or ["none"])
def anna(request: pytest.FixtureRequest, tmp_path: Path) -> Anna:
    """A host whose source and repository hold nothing yet; once for each restic."""
    if request.param == "none":
        pytest.skip("restic is not installed")
    return Anna(tmp_path / "anna", engines()[request.param]).with_repository()


@pytest.fixture(scope="module", params=sorted(engines()) or ["none"])
def saved_anna(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Anna:
    """A host with one good snapshot; tests work on twins of hers."""
    if request.param == "none":
        pytest.skip("restic is not installed")
    host = Anna(tmp_path_factory.mktemp("saved") / "anna", engines()[request.param]).with_repository()
    for number in range(20):
        host.write(f"book-{number}", os.urandom(100_000))
    result = host.back_up()
    assert result["changed"], result
    return host
