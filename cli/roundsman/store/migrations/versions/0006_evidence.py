"""Every verification is kept; what each host's sources promise; tags of snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.String(64), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("where", sa.Text(), nullable=False),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("level", sa.String(16)),
        sa.Column("failed_level", sa.String(16)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("canary_at", sa.String(32)),
        sa.Column("restore_s", sa.Float()),
        sa.Column("drill_s", sa.Float()),
        sa.Column("duration_s", sa.Float()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("evidence_by_snapshot", "evidence", ["host", "source", "snapshot", "time"], unique=False)
    op.create_table(
        "objectives",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("since", sa.String(32), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("pruned_at", sa.String(32)),
        sa.PrimaryKeyConstraint("host", "source"),
    )
    op.add_column("snapshots", sa.Column("tags", sa.JSON()))
