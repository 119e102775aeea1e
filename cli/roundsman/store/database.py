"""Opening the store, SQLite in WAL mode, and bringing its schema up to date."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

HEAD = "0012"
BUSY_TIMEOUT_S = 30

Transaction = sa.Connection
Row = dict[str, Any]


def rows(result: sa.CursorResult[Any]) -> list[Row]:
    """What a query found, detached from the database."""
    return [dict(row) for row in result.mappings()]


class StoreError(Exception):
    """The store cannot be used; the text says why and what to do."""


class Store:
    """A door to the database. `write` takes the database's write lock at once; `read` sees one snapshot."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self._engine = _sqlite(self.url)
        with _explained(self.url):
            self._migrate()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        connecting = self._engine.connect().execution_options(write=True)
        with _explained(self.url), connecting as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with _explained(self.url), self._engine.connect() as connection, connection.begin():
            yield connection

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            if sa.inspect(connection).has_table("alembic_version"):
                version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
                if version == HEAD:
                    return
                if version is not None and version > HEAD:
                    raise StoreError(
                        f"the store was written by a newer Roundsman (schema {version}, this one knows {HEAD}): "
                        "upgrade this one"
                    )
        # Alembic takes longer to import than most commands take to run.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.connect().execution_options(write=True) as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"the store {path} cannot be opened: {error.strerror}") from error
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # pysqlite would begin transactions late and on its own terms; "begin" below says when.
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A reader that turns writer half way would fail where waiting would have done.
        writing = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _use_wal(connection: Any) -> None:
    """Change to WAL; while others open a new store, SQLite refuses that at once instead of waiting."""
    for _ in range(1 + int(BUSY_TIMEOUT_S * 10)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            time.sleep(0.1)
        else:
            return


@contextmanager
def apart(tx: Transaction) -> Iterator[None]:
    """A part of a transaction that leaves nothing behind when it fails.

    Raises ValueError for what no column takes; a store that cannot be used is something else.
    """
    try:
        with tx.begin_nested():
            yield
    except (OverflowError, *_UNFIT) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    except sa.exc.StatementError as error:
        if isinstance(error, sa.exc.DBAPIError):
            raise
        raise ValueError(str(error).splitlines()[0]) from error


_UNFIT = (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.InterfaceError, sa.exc.ProgrammingError)


@contextmanager
def _explained(url: sa.URL) -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        where = url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0]
        raise StoreError(
            f"the store {where} cannot be used: {reason}. Nothing is lost: what runs record waits in their ledgers "
            "and is read by the next command"
        ) from error
