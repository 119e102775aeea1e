"""Runs of which the store keeps only what was amiss."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("thinned", sa.Boolean(), nullable=False, server_default=sa.false()))
