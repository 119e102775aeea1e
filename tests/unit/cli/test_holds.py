"""Holds: what a person types, what the list shows, and what retention is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roundsman.__main__ import cli
from roundsman.exits import ExitCode
from roundsman.store import Store, holds
from roundsman.times import ending, stamp

from ..ledger.builders import Run
from ..ledger.old_store import old_store

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
GOOD, BAD, BARE = "aa" * 32, "ab" * 32, "bb" * 32


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """web1 has a restored snapshot, one that failed, and one without evidence."""
    run = Run().backup("web1", BARE, held=(GOOD, BAD, BARE))
    run.verify("web1", GOOD, "restored").verify("web1", BAD, "stored", failed="read").finish(web1={})
    (tmp_path / "state").mkdir(mode=0o700)
    run.write(tmp_path / "state" / "ledger")
    path = tmp_path / "roundsman.yml"
    path.write_text(f"inventory: hosts.yml\nstate_dir: {tmp_path / 'state'}\n")
    return path


def roundsman(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["backup", *arguments, "--config", str(config)])


def test_a_hold_is_shown_told_and_ended(config: Path) -> None:
    done = roundsman(config, "hold", "bb", "--until", "30d", "--why", "audit", "--by", "anna")
    assert done.exit_code == 0, done.output
    assert "bbbbbbbb, etc of web1: on hold until" in done.output
    assert "by anna: audit" in " ".join(roundsman(config, "list", "--all").output.split())
    listed = {one["id"]: one["hold"] for one in json.loads(roundsman(config, "list", "--all", "--json").output)}
    assert listed[GOOD] is None
    assert (listed[BARE]["by"], listed[BARE]["over"]) == ("anna", False)
    with Store(f"sqlite:///{config.parent / 'state' / 'store.db'}").read() as tx:
        told = holds.for_retention(tx, stamp(datetime.now(UTC)))["web1"]
        late = holds.for_retention(tx, stamp(datetime.now(UTC) + timedelta(days=31)))["web1"]
    assert [one["snapshot"] for one in told["holds"]] == [BARE]
    assert told["evidence"] == {GOOD: "restored"}
    assert late["holds"] == []
    # A second hold replaces the first.
    assert roundsman(config, "hold", "bb", "--until", "9998-12-31", "--why", "law", "--by", "bob").exit_code == 0
    assert roundsman(config, "release", "bb", "--why", "[case] closed", "--by", "carol").exit_code == 0
    again = roundsman(config, "release", "bb")
    assert (again.exit_code, again.output) == (ExitCode.USAGE, "Error: bbbbbbbb is not on hold\n")
    with Store(f"sqlite:///{config.parent / 'state' / 'store.db'}").read() as tx:
        assert holds.for_retention(tx, stamp(datetime.now(UTC)))["web1"]["holds"] == []


def test_a_released_hold_leaves_a_trail(config: Path) -> None:
    roundsman(config, "hold", "bb", "--until", "9998-12-31", "--why", "audit", "--by", "anna")
    roundsman(config, "hold", "bb", "--until", "9997-12-31", "--why", "law", "--by", "bob")
    roundsman(config, "release", "bb", "--why", "[case] closed", "--by", "carol")
    shown = json.loads(roundsman(config, "show", "bb", "--json").output)
    trail = [(one["by"], one["why"], one["released_by"], one["released_why"]) for one in shown["holds"]]
    replaced = "another hold took its place"
    assert trail == [("anna", "audit", "bob", replaced), ("bob", "law", "carol", "[case] closed")]
    assert all(one["released_at"] >= one["made_at"] for one in shown["holds"])
    assert shown["snapshot"]["hold"] is None
    drawn = " ".join(roundsman(config, "show", "bb").output.split())
    assert "by bob until 9998-01-01T00:00: law; released" in drawn
    assert "by carol: [case] closed" in drawn


def test_holds_of_an_older_store_stay(config: Path) -> None:
    values = ("web1", "etc", BARE, "9998-01-01T00:00:00.000Z", "audit", "anna", "2026-11-20T00:00:00.000Z")
    with old_store(config.parent / "state" / "store.db", "0006").begin() as tx:
        tx.exec_driver_sql("INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    listed = {one["id"]: one["hold"] for one in json.loads(roundsman(config, "list", "--all", "--json").output)}
    assert (listed[BARE]["by"], listed[BARE]["over"]) == ("anna", False)
    assert roundsman(config, "release", "bb").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hold", "a", "--until", "30d", "--why", "x"], "a may mean 2 snapshots"),
        (["hold", "cc", "--until", "30d", "--why", "x"], "there is no snapshot cc"),
        (["hold", "bb", "--until", "2020-01-01", "--why", "x"], "--until 2020-01-01 is over already"),
        (["release", "cc"], "there is no snapshot cc"),
    ],
)
def test_mistakes_are_said_in_words(config: Path, arguments: list[str], said: str) -> None:
    done = roundsman(config, *arguments)
    assert done.exit_code == ExitCode.USAGE
    assert said in done.output


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-12-31", "2027-01-01T00:00:00.000Z"),
        ("2026-11-26", "2026-11-27T00:00:00.000Z"),
        ("30d", "2026-12-26T03:00:00.000Z"),
        ("2026-12-31T12:00:00+01:00", "2026-12-31T11:00:00.000Z"),
    ],
)
def test_ends(text: str, end: str) -> None:
    assert stamp(ending(text, NOW)) == end


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("soon", "is no time"), ("2026-02-30", "is no time"), ("9e9d", "is no time"), ("9999-12-31", "is no time"),
        ("2026-12-31T12:00", "needs a zone"), ("2026-11-25", "is over"), ("0d", "is over"),
    ],
)  # fmt: skip
def test_no_ends(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        ending(text, NOW)
