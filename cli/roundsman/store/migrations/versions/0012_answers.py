"""Messages that say that somebody has an alert, and ways to find what is old enough to be forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("acknowledges", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("timeline_by_time", "timeline", ["at"])
    op.create_index("episodes_by_end", "episodes", ["resolved_at"])
    op.create_index("outbox_by_time", "outbox", ["created_at"])
    op.drop_index("alerts_by_phase", "alerts")
    op.create_index("alerts_by_phase", "alerts", ["phase", "updated_at"])
