"""Messages that say that somebody has an alert."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("acknowledges", sa.Boolean, nullable=False, server_default=sa.false()))
