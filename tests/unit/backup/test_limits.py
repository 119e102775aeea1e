"""The engine keeps within its limits, and goes on where it was interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines import restic_words as words

from .cast import PASSWORD, Anna, engines
from .test_backup import wait_for

NONE = {"limit_upload_kib_s": 0, "limit_download_kib_s": 0, "connections": 0}


@pytest.mark.parametrize(
    ("repository", "limits", "argv"),
    [
        ("/srv/x", {}, []),
        ("/srv/x", {"limit_upload_kib_s": 9}, ["--limit-upload", "9"]),
        ("rest:https://v/x", {"limit_download_kib_s": 7}, ["--limit-download", "7"]),
        ("rest:https://v/x", {"connections": 3}, ["-o", "rest.connections=3"]),
        ("sftp:v:/x", {"connections": 3}, ["-o", "sftp.connections=3"]),
        ("/srv/x:y", {"connections": 3}, ["-o", "local.connections=3"]),
        ("local:/srv/x", {"connections": 3}, ["-o", "local.connections=3"]),
    ],
)
def test_limits_in_the_words_of_restic(repository: str, limits: dict[str, int], argv: list[str]) -> None:
    assert words.limit_options(repository, {**NONE, **limits}) == argv


def test_every_engine_takes_the_limits_and_is_gentle(anna: Anna) -> None:
    anna.write("a")
    seen = anna.root / "seen"
    limits = {"limit_upload_kib_s": 90000, "limit_download_kib_s": 80000, "connections": 3, "processors": 1}
    with anna.engine_behind(f'echo "$GOMAXPROCS; $(nice); $(ionice); $*" >> {seen}\nexec "$RESTIC" "$@"'):
        result = anna.back_up(low_priority=True, **limits)
    assert not result.get("failed"), result
    (line,) = [line for line in seen.read_text().splitlines() if " backup " in line]
    processors, niceness, disk, argv = line.split("; ")
    assert (processors, niceness, disk) == ("1", "19", "best-effort: prio 7")
    assert argv.startswith("--limit-upload 90000 --limit-download 80000 -o local.connections=3 backup ")


def test_what_was_uploaded_before_an_interruption_is_not_uploaded_again(tmp_path: Path) -> None:
    """restic finds what its index names. It writes that now and then: in format 1, every 50,000 blobs."""
    anna = Anna(tmp_path / "anna", engines()[max(engines())])
    anna.restic("init", "--repository-version", "1")
    # An index is full with the first pack that ends behind that number; packs take 16 MiB, here about 5,300 blobs.
    for number in range(62_000):
        folder = anna.source / str(number % 100)
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_bytes(b"%d of many " % number * 200)
    # Read last, and for minutes, so that the engine is hit at work on any machine.
    endless = anna.source / "endless"
    with endless.open("wb") as stream:
        stream.truncate(200 << 30)
    secrets = {"RESTIC_REPOSITORY": anna.repository, "RESTIC_PASSWORD": PASSWORD}
    engine = subprocess.Popen(
        [anna.restic_binary, "backup", "--quiet", anna.source], env={**os.environ, **secrets}, stderr=subprocess.DEVNULL
    )
    # A name without "-tmp" is a whole file.
    wait_for(lambda: any("-tmp" not in path.name for path in Path(anna.repository, "index").iterdir()), 300)
    engine.kill()
    assert engine.wait() == -signal.SIGKILL
    endless.unlink()

    record = anna.back_up()["backup"]
    assert len(record["snapshots"]) == 1, record
    assert record["total_bytes"] > 62_000 * 2000
    assert record["added_bytes"] < record["total_bytes"] / 2, "only what describes the files, not what they hold"
