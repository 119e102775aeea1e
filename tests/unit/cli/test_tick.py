"""`roundsman tick`: what is due is done, once, and the world outside hears that we live."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from roundsman.__main__ import cli
from roundsman.store import Store, heartbeats
from roundsman.times import stamp

from ..ledger.builders import Run
from ..notify.servers import Server, http_server


@pytest.fixture
def outside() -> Iterator[Server]:
    with http_server() as listening:
        yield listening


@pytest.fixture
def config(tmp_path: Path, outside: Server) -> Path:
    url = f"http://127.0.0.1:{outside.port}"
    path = tmp_path / "roundsman.yml"
    path.write_text(
        f"state_dir: {tmp_path}/state\n"
        "alerts:\n"
        "  group_wait: 1s\n"
        f"  receivers: [{{name: team, webhooks: [{{url: '{url}/team', timeout: 1min}}]}}]\n"
        f"  heartbeat: {{url: '{url}/alive', every: 1h}}\n"
    )
    return path


def tick(config: Path) -> Result:
    return CliRunner().invoke(cli, ["tick", "--json", "--config", str(config)])


def test_what_plain_ansible_recorded_is_told_by_the_next_ticks(config: Path, outside: Server, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    begun = datetime.now(UTC)
    run = Run(f"{begun:%Y%m%dT%H%M%SZ}-00beef", start=f"{begun:%Y-%m-%dT%H:%M}")
    run.health("web3", disk="CRITICAL").finish(web3={}).write(tmp_path / "state" / "ledger")
    assert tick(config).exit_code == 0
    time.sleep(1.1)
    done = json.loads(tick(config).output)
    assert (done["waiting"], done["failed"]) == (0, {})
    assert json.loads(tick(config).output)["attempts"] == 0, "told once"
    (told,) = outside.documents
    assert told["title"] == "CRITICAL web3: disk is CRITICAL"


def test_several_at_once_tell_everything_once(config: Path, outside: Server, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    begun = datetime.now(UTC) - timedelta(minutes=5)
    run = Run(f"{begun:%Y%m%dT%H%M%SZ}-00beef", start=f"{begun:%Y-%m-%dT%H:%M}")
    hosts = [f"web{nth}" for nth in range(8)]
    for host in hosts:
        run.health(host, disk="CRITICAL")
    run.finish(**{host: {} for host in hosts}).write(tmp_path / "state" / "ledger")
    command = [Path(sys.executable).parent / "roundsman", "tick", "--config", config]
    at_work = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
    said = [one.communicate()[0].decode() for one in at_work]
    assert [one.returncode for one in at_work] == [0, 0, 0], said
    titles = [f"CRITICAL {host}: disk is CRITICAL" for host in hosts]
    assert sorted(told["title"] for told in outside.documents) == titles


def test_the_heartbeat_goes_out_as_often_as_wanted(config: Path, outside: Server, tmp_path: Path) -> None:
    for _ in range(2):
        assert tick(config).exit_code == 0
    assert outside.pings == 1
    with Store(f"sqlite:///{tmp_path}/state/store.db").write() as tx:
        heartbeats.note(tx, datetime.now(UTC) - timedelta(hours=1), ok=True, detail="")
    outside.answers_get = [503]
    assert json.loads(tick(config).output)["failed"] == {"heartbeat": "HTTP 503 Service Unavailable"}
    assert json.loads(tick(config).output)["failed"] == {}
    assert outside.pings == 3, "a failure is tried again by the next tick"


def test_a_tick_that_cannot_use_the_store_is_no_sign_of_life(config: Path, outside: Server, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "store.db").write_bytes(b"this is no database" * 100)
    assert tick(config).exit_code == 6
    assert outside.pings == 0


def test_rounds_that_are_late_alert(config: Path, outside: Server) -> None:
    config.write_text(config.read_text() + "  expect_rounds: 1h\n")
    tick(config)
    time.sleep(1.1)
    tick(config)
    (told,) = outside.documents
    assert told["title"].startswith("CRITICAL roundsman: no rounds were ever made")


def test_stamps_are_those_of_now(config: Path) -> None:
    before = stamp(datetime.now(UTC))
    assert before <= json.loads(tick(config).output)["at"] <= stamp(datetime.now(UTC))
