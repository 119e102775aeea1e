"""What people do about alerts: overrides of schedules, escalations, and every episode with when it was answered."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "overrides",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("start_at", sa.String(32), nullable=False),
        sa.Column("end_at", sa.String(32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "escalations",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("due_at", sa.String(32)),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "receiver"),
    )
    op.create_table(
        "episodes",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("receivers", sa.JSON(), nullable=False),
        sa.Column("assignee", sa.Text()),
        sa.Column("opened_at", sa.String(32), nullable=False),
        sa.Column("acknowledged_at", sa.String(32)),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("resolved_at", sa.String(32)),
        sa.Column("resolved_by", sa.Text()),
        sa.PrimaryKeyConstraint("fingerprint", "episode"),
    )
    op.create_index("episodes_by_time", "episodes", ["opened_at"], unique=False)
