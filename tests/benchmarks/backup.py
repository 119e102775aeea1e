"""What Roundsman adds to plain restic: whole commands on this machine, beside restic alone with the same data.

Run it anywhere with restic: python -m tests.benchmarks.backup [--files 20000] [--mib 1024] [--repeats 3]

Every contender runs in turn, several times over, in one go; the figures are ratios of medians. What Ansible and the
command cost whatever the amount of data is measured with one tiny file, and stated apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

PASSWORD = "correct-horse-battery"
BIN = Path(sys.executable).parent
ROWS = 200_000


class Bench:
    """One source with both repositories, restic's own and Roundsman's, and everything between them apart."""

    def __init__(self, folder: Path, name: str, source: dict[str, Any], path: Path) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self._path = path
        self._restic = {"RESTIC_REPOSITORY": str(self.folder / "plain"), "RESTIC_PASSWORD": PASSWORD,
                        "RESTIC_CACHE_DIR": str(self.folder / "cache")}  # fmt: skip
        variables = {
            "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "roundsman_default_checks": [],
            "roundsman_backups": [source], "roundsman_repository": str(self.folder / "ours"),
            "roundsman_repository_password": PASSWORD, "roundsman_state_dir": str(self.folder / "host"),
            "roundsman_backup_become": False, "roundsman_backup_low_priority": False,
        }  # fmt: skip
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"bench": variables}}}))
        settings = {"inventory": str(self.folder / "inventory.yml"), "state_dir": str(self.folder / "state")}
        (self.folder / "roundsman.yml").write_text(yaml.safe_dump(settings))

    def restic(self, *arguments: str) -> None:
        subprocess.run(["restic", "--quiet", *arguments], env={**os.environ, **self._restic}, check=True)

    def roundsman(self, *arguments: str) -> None:
        command = [str(BIN / "roundsman"), *arguments, "--config", str(self.folder / "roundsman.yml")]
        self._succeed(command)

    def play(self, name: str, **variables: Any) -> None:
        inventory = str(self.folder / "inventory.yml")
        extra = ["-e", json.dumps(variables)]
        self._succeed([str(BIN / "ansible-playbook"), "-i", inventory, f"roundsman.fleet.{name}", *extra])

    @staticmethod
    def _succeed(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def forget(self) -> None:
        """Both begin anew, with empty repositories; making them is no part of a backup."""
        for name in ("plain", "ours", "cache", "host", "state"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.restic("init")
        shutil.copytree(self.folder / "plain", self.folder / "ours")

    def restore_plain(self) -> None:
        self.restic("restore", "latest", "--no-cache", "--target", str(self.folder / "restored-plain"))

    def restore_ours(self) -> None:
        target = str(self.folder / "restored-ours")
        self.play("restore", roundsman_restore_source="data", roundsman_restore_target=target)

    def save_plain(self) -> None:
        self.restic("backup", str(self._path))

    def save_ours(self) -> None:
        self.roundsman("backup", "run")

    def hash_tree(self) -> None:
        """What a manifest cannot cost less than: every byte read and hashed once more."""
        script = f"find '{self._path}' -type f -print0 | xargs -0 sha256sum > /dev/null"
        subprocess.run(["sh", "-c", script], check=True)


def fill(path: Path, files: int, mib: int) -> None:
    size = mib * (1 << 20) // files
    for number in range(files):
        folder = path / f"{number % 200:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_bytes(os.urandom(size))


def measure(folder: Path, files: int, mib: int, repeats: int) -> dict[str, list[float]]:
    data, tiny, shop = folder / "data", folder / "tiny", folder / "shop.db"
    fill(data, files, mib)
    fill(tiny, 1, 1)
    with closing(sqlite3.connect(shop)) as db, db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text BLOB)")
        db.executemany("INSERT INTO orders (text) VALUES (?)", ((os.urandom(200),) for _ in range(ROWS)))
    large = Bench(folder, "large", {"id": "data", "paths": [str(data)]}, data)
    small = Bench(folder, "small", {"id": "data", "paths": [str(tiny)]}, tiny)
    sqlite = Bench(folder, "sqlite", {"id": "data", "type": "sqlite", "path": str(shop)}, shop)
    measured: dict[str, list[float]] = {}

    def timed(name: str, do: Callable[[], None]) -> None:
        # What the one before wrote must not be written while the next is measured.
        os.sync()
        started = time.perf_counter()
        do()
        measured.setdefault(name, []).append(time.perf_counter() - started)
        print(f"{name}: {measured[name][-1]:.2f} s", file=sys.stderr)

    for _ in range(repeats):
        for size, bench in (("tiny", small), ("large", large)):
            bench.forget()
            for moment in ("first", "unchanged"):
                timed(f"{size}: {moment} backup, restic", bench.save_plain)
                timed(f"{size}: {moment} backup, roundsman", bench.save_ours)
            timed(f"{size}: restore, restic", bench.restore_plain)
            timed(f"{size}: restore, roundsman", bench.restore_ours)
            for name in ("restored-plain", "restored-ours"):
                shutil.rmtree(bench.folder / name)
        timed("large: hashing the tree", large.hash_tree)
        timed("large: verify to restored", lambda: large.roundsman("backup", "verify"))
        sqlite.forget()
        timed("sqlite: backup", sqlite.save_ours)
        timed("sqlite: drill to proven", lambda: sqlite.roundsman("backup", "verify", "--level", "proven"))
    return measured


def table(measured: dict[str, list[float]]) -> str:
    """Medians; the ratio leaves out what both cost with one tiny file, the constant round trip."""
    median = {name: statistics.median(values) for name, values in measured.items()}
    lines = ["| | restic s | roundsman s | constant s | of restic, without the constant |", "|---|---|---|---|---|"]
    for what in ("first backup", "unchanged backup", "restore"):
        plain, ours = median[f"large: {what}, restic"], median[f"large: {what}, roundsman"]
        constant = median[f"tiny: {what}, roundsman"] - median[f"tiny: {what}, restic"]
        lines.append(f"| {what} | {plain:.2f} | {ours:.2f} | {constant:.2f} | {(ours - constant) / plain:.2f} |")
    lines += ["", "| | median s |", "|---|---|"]
    others = ("large: hashing the tree", "large: verify to restored", "sqlite: backup", "sqlite: drill to proven")
    return "\n".join([*lines, *(f"| {name} | {median[name]:.2f} |" for name in others)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), arguments.files, arguments.mib, arguments.repeats)
    version = subprocess.run(["restic", "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    print(f"{arguments.mib} MiB in {arguments.files} files, {os.cpu_count()} cores, restic {version}, "
          f"Python {platform.python_version()}, {arguments.repeats} repeats\n")  # fmt: skip
    print(table(measured))


if __name__ == "__main__":
    main()
