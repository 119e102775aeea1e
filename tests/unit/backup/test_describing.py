"""The manifest is made while the repository is asked; neither side spoils the work of the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cast import Anna

# Its first query kills what else its parent began. Names of the processes go to a file, so that the test sees it did.
KILLING = 'for p in $(pgrep -P $PPID); do [ $p = $$ ] || { kill -9 $p && echo "$1" >> %s; }; done; exec "$RESTIC" "$@"'


def manifest_of(anna: Anna) -> Path:
    return anna.state / "manifests" / "data.jsonl"


def left_beside(manifest: Path) -> list[str]:
    return [path.name for path in manifest.parent.iterdir() if path.name.endswith(".new")]


def test_whenever_a_helper_is_killed_the_backup_is_whole(anna: Anna) -> None:
    """Killed are the one that writes the manifest, and the one that asks for snapshots afterwards."""
    for number in range(300):
        anna.write(f"file-{number}", "before" * number)
    killed = anna.root / "killed"
    with anna.engine_behind(KILLING % killed):
        first = anna.back_up()
        anna.write("file-7", "after")
        second = anna.back_up()
    assert killed.read_text().split()[0] == "cat", "the manifest was begun before the repository was asked"
    assert [one["backup"]["warnings"] for one in (first, second)] == [[], []]
    assert second["backup"]["parent"] == first["backup"]["snapshot"]
    ids = [one["backup"]["snapshot"] for one in (first, second)]
    for record in anna.verify(sources=[], snapshots=ids)["verifications"]:
        assert record["outcome"] == "ok", record
    assert left_beside(manifest_of(anna)) == []


@pytest.mark.parametrize("processors", [0, 1])
def test_a_manifest_that_is_none_is_not_believed(anna: Anna, processors: int) -> None:
    anna.write("a")
    parent = anna.back_up()["backup"]["snapshot"]
    for nonsense in ("", "{}\n", '{"taken_at_ns":1,"roundsman_manifest":1}\n[]\n{"end":true}\n'):
        manifest_of(anna).write_text(nonsense)
        record = anna.back_up(processors=processors)["backup"]
        assert (record["reason"], record["parent"]) == (None, parent), record
        parent = record["snapshot"]
        assert anna.verify()["verifications"][0]["outcome"] == "ok"


def test_a_repository_that_refuses_leaves_the_manifest_that_was_there(anna: Anna) -> None:
    """Else the next backup would have to read everything again."""
    anna.write("a")
    anna.back_up()
    before = manifest_of(anna).read_bytes()
    anna.write("b")
    assert anna.back_up(password="another one")["backup"]["reason"] == "wrong_password"
    assert manifest_of(anna).read_bytes() == before
    assert left_beside(manifest_of(anna)) == []
