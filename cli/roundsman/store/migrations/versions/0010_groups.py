"""What each receiver knows of each group of alerts; messages of groups; what hosts are labelled with."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "outbox_alerts",
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("key", "fingerprint"),
    )
    op.create_index("outbox_alerts_by_alert", "outbox_alerts", ["fingerprint"], unique=False)
    op.create_table(
        "groups",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("flush_at", sa.String(32), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("groups_by_due", "groups", ["flush_at"], unique=False)
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("depends_on", sa.JSON(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("host"),
    )
    _tell_of_groups()


def _tell_of_groups() -> None:
    """A row was the news of one alert; now it is that of a group, if only of one."""
    connection = op.get_bind()
    # What had no receiver yet is told by the first turn that has one.
    connection.execute(sa.text("DELETE FROM outbox WHERE channel = ''"))
    rows = connection.execute(sa.text("SELECT key, receiver, channel, group_key, notification FROM outbox")).all()
    for key, receiver, _channel, group_key, notification in rows:
        news = json.loads(notification)
        alert = news["alert"]
        group = {"receiver": receiver, "key": group_key, "labels": {"host": alert["host"]}, "notifications": [news]}
        told = "UPDATE outbox SET notification = :group, message_id = coalesce(message_id, :key) WHERE key = :key"
        connection.execute(
            sa.text(told),
            {"group": json.dumps(group), "key": key},
        )
        connection.execute(
            sa.text("INSERT INTO outbox_alerts (key, fingerprint) VALUES (:key, :fingerprint)"),
            {"key": key, "fingerprint": alert["fingerprint"]},
        )
