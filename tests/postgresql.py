"""PostgreSQL clusters of a test's own, by this machine's PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
AS_POSTGRES = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


class Server:
    """A cluster in a directory of its own, reached by a socket there."""

    def __init__(self, root: Path, home: Path, data: str = "data") -> None:
        self.root, self.home, self.data = root, home, root / data
        self.archive = root / "archive"

    def make(self) -> None:
        self.archive.mkdir()
        if AS_POSTGRES:
            for path in (self.root, self.archive):
                shutil.chown(path, "postgres")
        self._as_postgres("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync")

    def _as_postgres(self, program: str, *argv: str) -> None:
        command = [*AS_POSTGRES, str(self.home / program), *argv]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.root)

    def start(self) -> None:
        archiving = f"-c archive_mode=on -c archive_command='cp %p {self.archive}/%f'"
        # What autovacuum does between two looks is no change that a test made.
        options = f"-c listen_addresses= -k {self.root} -c fsync=off -c autovacuum=off {archiving}"
        log = str(self.root / "log")
        self._as_postgres("pg_ctl", "-D", str(self.data), "-w", "-t", "180", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._as_postgres("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def grow_old(self, segments: int) -> None:
        """Restart as if this many times 2^20 transactions had been."""
        self.stop("fast")
        self._as_postgres("pg_resetwal", "-x", str(segments << 20), "-D", str(self.data))
        # What came of these transactions, in two bits each.
        states = self.data / "pg_xact" / f"{segments:04X}"
        states.write_bytes(bytes(1 << 18))
        if AS_POSTGRES:
            shutil.chown(states, "postgres")
        self.start()

    @contextlib.contextmanager
    def standby(self) -> Iterator[Server]:
        """A server that follows this one as long as the block lasts."""
        copy = Server(self.root / "standby", self.home)
        copy.root.mkdir()
        if AS_POSTGRES:
            shutil.chown(copy.root, "postgres")
        source = ["-h", str(self.root), "-U", "postgres"]
        self._as_postgres("pg_basebackup", *source, "-D", str(copy.data), "-R", "-c", "fast", "--no-sync")
        copy.start()
        try:
            yield copy
        finally:
            copy.stop()
            shutil.rmtree(copy.root)

    def sql(self, text: str, database: str = "shop") -> str:
        argv = [
            str(self.home / "psql"),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.root),
            "-U",
            "postgres",
            database,
        ]
        # A database may have limits for others, which a busy machine would exceed.
        patient = {**os.environ, "PGOPTIONS": "-c statement_timeout=0"}
        said = subprocess.run(argv, input=text, text=True, check=True, capture_output=True, env=patient)
        return said.stdout.strip()

    def spec(self, **more: Any) -> dict[str, Any]:
        return {"id": "data", "type": "postgresql", "host": str(self.root), "login": "postgres", **more}


@contextlib.contextmanager
def cluster() -> Iterator[Server]:
    """A server that runs as long as the block lasts."""
    # The path of a socket may have 107 bytes.
    root = Path(tempfile.mkdtemp(prefix="roundsman-pg-"))
    made = Server(root, HOMES[-1].parent)
    try:
        made.make()
        made.start()
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            made.stop()
        shutil.rmtree(root)
