"""Holds stay when they are over, with who released them and why; the rules of retention that each source has."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.rename_table("holds", "holds_until_0007")
    op.create_table(
        "holds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.String(64), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("released_at", sa.String(32)),
        sa.Column("released_by", sa.Text()),
        sa.Column("released_why", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("holds_by_snapshot", "holds", ["host", "source", "snapshot"], unique=False)
    op.execute(
        'INSERT INTO holds (host, source, snapshot, until, why, "by", made_at) '
        'SELECT host, source, snapshot, until, why, "by", made_at FROM holds_until_0007 ORDER BY made_at'
    )
    op.drop_table("holds_until_0007")
    op.add_column("objectives", sa.Column("rules", sa.JSON()))
