"""Damaged repositories are found at the right level, and what could not be looked at is called unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .cast import Anna


def flip(path: Path, position: int = -1) -> None:
    """Turn one byte of a file over."""
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[position if position >= 0 else len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def packs(anna: Anna) -> list[Path]:
    """Packs, largest first: data packs before tree packs."""
    return sorted((p for p in Path(anna.repository, "data").rglob("*") if p.is_file()), key=lambda p: -p.stat().st_size)


def data_pack(anna: Anna) -> None:
    flip(packs(anna)[0], 1000)


def pack_header(anna: Anna) -> None:
    path = packs(anna)[0]
    flip(path, path.stat().st_size - 10)


def tree_pack(anna: Anna) -> None:
    flip(packs(anna)[-1], 20)


def deleted_pack(anna: Anna) -> None:
    packs(anna)[0].unlink()


def index(anna: Anna) -> None:
    flip(next(Path(anna.repository, "index").iterdir()))


def snapshot_file(anna: Anna) -> None:
    flip(next(Path(anna.repository, "snapshots").iterdir()))


@pytest.mark.parametrize(
    ("damage", "reached", "failed"),
    [
        (data_pack, "stored", "read"),
        (pack_header, "stored", "read"),
        (tree_pack, None, "stored"),
        (deleted_pack, None, "stored"),
        (index, None, "stored"),
        (snapshot_file, None, "stored"),
    ],
)
def test_damage_fails_at_its_level(
    saved_anna: Anna, tmp_path: Path, damage: Callable[[Anna], None], reached: str | None, failed: str
) -> None:
    anna = saved_anna.twin(tmp_path / "twin")
    damage(anna)
    result = anna.verify()
    (record,) = result["verifications"]
    assert result["failed"]
    found = (record["outcome"], record["reason"], record["level"], record["failed_level"])
    assert found == ("damaged", "repository_damaged", reached, failed), record
    assert "data of anna" in result["msg"]
    assert failed in result["msg"]
    if damage is not snapshot_file:
        assert record["snapshot"][:8] in result["msg"]
    assert not list((anna.state / "scratch").iterdir()) if (anna.state / "scratch").exists() else True


def test_data_damage_is_beyond_a_look_at_the_structure(saved_anna: Anna, tmp_path: Path) -> None:
    anna = saved_anna.twin(tmp_path / "twin")
    data_pack(anna)
    (record,) = anna.verify(level="stored")["verifications"]
    assert (record["outcome"], record["level"]) == ("ok", "stored")


def test_restoring_damaged_data_names_the_file(saved_anna: Anna, tmp_path: Path) -> None:
    anna = saved_anna.twin(tmp_path / "twin")
    data_pack(anna)
    result = anna.restore()
    assert result["failed"]
    assert result["restore"]["reason"] == "repository_damaged", result


def test_good_snapshot_reaches_each_level(saved_anna: Anna) -> None:
    for level in ("stored", "read", "restored"):
        result = saved_anna.verify(level=level)
        (record,) = result["verifications"]
        assert not result.get("failed"), result
        assert (record["outcome"], record["level"], record["failed_level"]) == ("ok", level, None)
        assert (record["restore_s"] is not None) is (level == "restored")
        assert record["mismatches"] == []


def test_forged_manifest_is_damage(saved_anna: Anna, tmp_path: Path) -> None:
    """Someone with the password saved another manifest under the tag of the first."""
    anna = saved_anna.twin(tmp_path / "twin")
    (snapshot,) = anna.snapshots()
    manifest = anna.state / "manifests" / "data.jsonl"
    manifest.write_text(manifest.read_text().replace('"mode":"0644"', '"mode":"0600"'))
    tags = ["roundsman", "source=data", "manifest=" + snapshot["manifest_sha256"], "complete"]
    anna.restic("backup", "--host", "anna", *(a for t in tags for a in ("--tag", t)), str(anna.source), str(manifest))
    (record,) = anna.verify()["verifications"]
    assert (record["outcome"], record["level"], record["failed_level"]) == ("damaged", "read", "restored")
    assert "SHA-256" in record["message"]


def test_a_local_manifest_that_is_not_the_parents_is_not_believed(anna: Anna) -> None:
    """What the next backup need not read again is only what the parent's tag vouches for."""
    old_files = {"paths": [str(Path(__file__).parents[3] / "docs" / "decisions")]}
    assert not anna.back_up(old_files).get("failed")
    manifest = anna.state / "manifests" / "data.jsonl"
    manifest.write_text(re.sub('"sha256":"[0-9a-f]{64}"', f'"sha256":"{"0" * 64}"', manifest.read_text()))
    assert anna.back_up(old_files)["backup"]["parent"]
    (record,) = anna.verify()["verifications"]
    assert (record["outcome"], record["level"]) == ("ok", "restored"), record


def test_content_that_differs_with_old_times_is_damage(saved_anna: Anna, tmp_path: Path) -> None:
    """A manifest that describes other content, with its own right hash: only the comparison can find that."""
    import hashlib

    anna = saved_anna.twin(tmp_path / "twin")
    manifest = anna.state / "manifests" / "data.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    for line in lines:
        if line.get("path", "").endswith("book-7"):
            line["sha256"] = "0" * 64
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    tags = ["roundsman", "source=data", "manifest=" + hashlib.sha256(manifest.read_bytes()).hexdigest(), "complete"]
    # The paths of the twin's manifest are those of the first host.
    anna.restic(
        "backup", "--host", "anna", *(a for t in tags for a in ("--tag", t)), str(saved_anna.source), str(manifest)
    )
    (record,) = anna.verify()["verifications"]
    assert (record["outcome"], record["mismatch_count"]) == ("damaged", 1), record
    assert record["mismatches"][0]["path"].endswith("book-7")
    assert "content differs" in record["mismatches"][0]["problem"]


def test_no_snapshot_is_unknown(saved_anna: Anna) -> None:
    result = saved_anna.verify(sources=["data", "never"])
    good, never = result["verifications"]
    assert good["outcome"] == "ok"
    assert (never["outcome"], never["reason"]) == ("unknown", "no_snapshot")
    assert result["failed"]
