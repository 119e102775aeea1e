"""What alerting costs: posted alerts beside a real Alertmanager, check results, and how both grow with their number.

Run it as: python -m tests.benchmarks.alerts [--alerts 10000] [--results 100000]. Needs prometheus-alertmanager.

Both servers take the same alerts over HTTP, in one batch, on this machine; the figure is the time until all of them are
listed. Roundsman keeps them on disk before it answers, Alertmanager in memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from roundsman import alerting, oncall
from roundsman.alerts.model import CheckResult, Status
from roundsman.config import Settings, parse
from roundsman.ledger import ingest
from roundsman.store import Store
from roundsman.telling import tell, telling
from roundsman.times import stamp
from tests.alertmanager import alertmanager_with
from tests.ports import free_port

NOW = datetime(2026, 11, 26, tzinfo=UTC)
BIN = Path(sys.executable).parent
CHECKS = 10  # of each host
BETWEEN_ROUNDS = timedelta(minutes=15)
ROUTE = {"receiver": "team", "group_by": ["host"]}


def took(do: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    do()
    return clock() - started


def worked(do: Callable[[], object]) -> float:
    """Seconds of processor, which a busy machine changes least."""
    return took(do, time.process_time)


def post(url: str, number: int) -> None:
    alerts = [
        {"labels": {"alertname": f"check{n % CHECKS}", "host": f"host{n // CHECKS}", "severity": "critical"}}
        for n in range(number)
    ]
    request = Request(f"{url}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        answer.read()
    while True:
        with urlopen(f"{url}/api/v2/alerts") as answer:
            if len(json.load(answer)) >= number:
                return


@contextmanager
def served(folder: Path) -> Any:
    port = free_port()
    settings = {
        "state_dir": str(folder / "state"), "serve": {"listen": f"127.0.0.1:{port}"},
        "alerts": {"receivers": [{"name": "team"}], "route": ROUTE},
    }  # fmt: skip
    (folder / "roundsman.yml").write_text(json.dumps(settings))
    command = [str(BIN / "roundsman"), "serve", "--config", str(folder / "roundsman.yml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        while not _answers(url):
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready"):
            return True
    except (URLError, OSError):
        return False


def posted(number: int) -> tuple[float, float]:
    """Seconds of Alertmanager, and of Roundsman."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        peer = stack.enter_context(alertmanager_with(folders[0], {"route": ROUTE, "receivers": [{"name": "team"}]}))
        ours = stack.enter_context(served(folders[1]))
        return took(lambda: post(peer.url, number)), took(lambda: post(ours, number))


def one_turn(store: Store, settings: Settings, at: datetime, *, first: bool) -> None:
    with store.write() as tx:
        how = telling(tx, settings, {"team": ["team/url/1"]}, oncall.duty(settings, {}, at), at)
        assert how is not None
        tell(tx, how, at, lambda _: first)


def recorded(number: int) -> list[float]:
    """Seconds of processor to read ledgers with CHECKS results of each host: amiss, amiss as before, and fine."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        found = []
        for nth, status in enumerate((Status.CRITICAL, Status.CRITICAL, Status.OK)):
            at = NOW + nth * BETWEEN_ROUNDS
            ledger = Path(folder) / f"run{nth}.jsonl"
            ledger.write_text("".join(records(ledger.stem, number // CHECKS, status, at)))
            found.append(worked(lambda ledger=ledger, at=at: ingest(store, ledger, at)))
        return found


def records(run: str, hosts: int, status: Status, at: datetime) -> Iterator[str]:
    for host in range(hosts):
        checks = [
            {"id": f"check{n}", "type": "load", "status": status, "value": 97.0, "unit": "%", "message": "said"}
            for n in range(CHECKS)
        ]
        yield json.dumps({
            "v": 1, "run": run, "seq": host + 1, "time": stamp(at), "kind": "health", "host": f"host{host}", "ok": True,
            "changed": False, "data": {"checks": checks, "worst": status},
        }) + "\n"  # fmt: skip


def measured(number: int, status: Status) -> tuple[float, float, float]:
    """Seconds of processor: results, CHECKS of them on each host; the turn that tells of them; a later one."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        settings = parse(json.dumps({"alerts": {"receivers": [{"name": "team"}]}}), Path(folder) / "roundsman.yml")

        def results() -> None:
            for host in range(number // CHECKS):
                with store.write() as tx:
                    found = [
                        CheckResult(f"host{host}", f"check{n}", status, "said", {"value": 1}, "run", NOW)
                        for n in range(CHECKS)
                    ]
                    alerting.measure(tx, {}, found, NOW)

        return (
            worked(results),
            worked(lambda: one_turn(store, settings, NOW, first=True)),
            worked(lambda: one_turn(store, settings, NOW + timedelta(minutes=1), first=False)),
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--results", type=int, default=100_000)
    wanted = parser.parse_args()
    peer, ours = posted(wanted.alerts)
    print(f"| {wanted.alerts} alerts posted | s | per alert |\n|---|---|---|")
    print(f"| Alertmanager | {peer:.2f} | {peer / wanted.alerts * 1000:.3f} ms |")
    print(f"| roundsman serve | {ours:.2f} | {ours / wanted.alerts * 1000:.3f} ms |\n")
    print("| open alerts, s of processor | results | the turn that tells | a later turn |\n|---|---|---|---|")
    for number in (wanted.alerts // 4, wanted.alerts // 2, wanted.alerts):
        print("| {} | {:.2f} | {:.2f} | {:.2f} |".format(number, *measured(number, Status.CRITICAL)))
    print("\n| results in ledgers, s of processor | open | as before | resolve |\n|---|---|---|---|")
    for number in (wanted.alerts // 4, wanted.alerts // 2, wanted.alerts):
        print("| {} | {:.2f} | {:.2f} | {:.2f} |".format(number, *recorded(number)))
    fine, _, _ = measured(wanted.results, Status.OK)
    each = fine / wanted.results * 1000
    print(f"\n{wanted.results} results that are fine: {fine:.2f} s of processor, {each:.3f} ms each")


if __name__ == "__main__":
    main()
