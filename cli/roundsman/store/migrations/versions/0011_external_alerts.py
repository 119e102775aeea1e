"""Until when alerts hold that somebody outside has posted."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("alerts", sa.Column("expires_at", sa.String(32)))
