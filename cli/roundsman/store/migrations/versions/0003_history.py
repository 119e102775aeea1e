"""History: what checks measured, as it came, by the hour and by the day."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("condensed_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host", "check", "label", "unit"),
    )
    op.create_index("series_by_turn", "series", ["condensed_at"], unique=False)
    op.create_table("samples", *_key(), sa.Column("value", sa.Float(), nullable=False), sqlite_with_rowid=False)
    for name in ("hourly", "daily"):
        op.create_table(
            name,
            *_key(),
            sa.Column("n", sa.Integer(), nullable=False),
            sa.Column("low", sa.Float(), nullable=False),
            sa.Column("high", sa.Float(), nullable=False),
            sa.Column("mean", sa.Float(), nullable=False),
            sqlite_with_rowid=False,
        )


def _key() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["series"], ["series.id"]),
        sa.PrimaryKeyConstraint("series", "at"),
    )
