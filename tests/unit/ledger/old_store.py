"""Stores as earlier versions left them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import roundsman.store


def old_store(path: Path, version: str) -> sa.Engine:
    """A new SQLite store with the schema of that version; it replaces what lies at `path`."""
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(roundsman.store.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    return engine
