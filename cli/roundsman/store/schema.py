"""The tables. What they mean stands in docs/records.md; how they came to be, in migrations/."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()

# Times are RFC 3339 text in UTC with milliseconds: they sort as text, alike in SQLite and PostgreSQL. Only in the
# tables of history, which have the most rows by far, they are whole seconds since 1970.
TIME = String(32)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("command", Text, nullable=False),
    Column("playbook", Text, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("check_mode", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", TIME, nullable=False),
    Column("finished_at", TIME),
    Column("hosts", JSON, nullable=False),
    Column("stats", JSON),
    Column("message", Text, nullable=False),
    # How far this run's ledger has been read.
    Column("seq", Integer, nullable=False),
    Column("offset_bytes", Integer, nullable=False),
    Column("closed", Boolean, nullable=False),
    # Whether of its health records only what was amiss is still there.
    Column("thinned", Boolean, nullable=False, server_default=false()),
)

entries = Table(
    "entries",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("host", Text),
    Column("item", Text),
    Column("ok", Boolean),
    Column("changed", Boolean),
    Column("msg", Text),
    Column("data", JSON, nullable=False),
    Index("entries_by_host", "host", "kind", "time"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("host", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("time", TIME, nullable=False),
    Column("repository", Text, nullable=False),
    Column("manifest_sha256", String(64)),
    Column("complete", Boolean, nullable=False),
    Column("present", Boolean, nullable=False),
    # What its own backup said; null when it was found in the repository (its record was lost in a crash).
    Column("backup", JSON),
    # The highest evidence, and when it was last seen to hold.
    Column("level", String(16)),
    Column("verified_at", TIME),
    Column("restore_s", Float),
    # The level at which the newest verification failed; null while all evidence speaks for the snapshot.
    Column("failed_level", String(16)),
    # Those that its source's definition gave it.
    Column("tags", JSON),
)

# Every verification, also those that could not look; the snapshot is empty when none was found.
evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("host", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("snapshot", String(64), nullable=False),
    Column("time", TIME, nullable=False),
    Column("where", Text, nullable=False),
    Column("wanted", String(16), nullable=False),
    Column("level", String(16)),
    Column("failed_level", String(16)),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(32)),
    Column("message", Text, nullable=False),
    Column("canary_at", TIME),
    Column("restore_s", Float),
    Column("drill_s", Float),
    Column("duration_s", Float),
    Index("evidence_by_snapshot", "host", "source", "snapshot", "time"),
)

# What the inventory says about a source, as its last backup told: docs/records.md's `plan`.
objectives = Table(
    "objectives",
    metadata,
    Column("host", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("plan", JSON, nullable=False),
    # Since when the source is known: before that nothing was due.
    Column("since", TIME, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("pruned_at", TIME),
    # Of retention, as the last prune told them.
    Column("rules", JSON),
)

# Retention leaves these snapshots alone until then, or until somebody releases them.
holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("snapshot", String(64), nullable=False),
    Column("until", TIME, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("made_at", TIME, nullable=False),
    Column("released_at", TIME),
    Column("released_by", Text),
    Column("released_why", Text),
    Index("holds_by_snapshot", "host", "source", "snapshot"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("host", Text, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("updated_at", TIME, nullable=False),
    # Only of what somebody posted.
    Column("expires_at", TIME),
    Column("state", JSON, nullable=False),
    Index("alerts_by_host", "host"),
    Index("alerts_by_phase", "phase", "updated_at"),
)

checks = Table(
    "checks",
    metadata,
    Column("host", Text, primary_key=True),
    Column("check", Text, primary_key=True),
    Column("result", JSON, nullable=False),
    Column("seen_at", TIME, nullable=False),
    # insight.states.CheckState
    Column("state", JSON, nullable=False),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("at", TIME, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("run_id", String(64)),
    Index("timeline_by_alert", "fingerprint", "id"),
    Index("timeline_by_time", "at"),
)

# Every time that an alert was open, and when people answered: what statistics are made of.
episodes = Table(
    "episodes",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("episode", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("check", Text, nullable=False),
    # The worst that it was.
    Column("severity", String(16), nullable=False),
    # Names of those that were told.
    Column("receivers", JSON, nullable=False),
    Column("assignee", Text),
    Column("opened_at", TIME, nullable=False),
    # The first time; a worsening ends an acknowledgement, but somebody had answered.
    Column("acknowledged_at", TIME),
    Column("acknowledged_by", Text),
    Column("resolved_at", TIME),
    Column("resolved_by", Text),
    Index("episodes_by_time", "opened_at"),
    Index("episodes_by_end", "resolved_at"),
)

# alerts.escalation.Escalation, one of an alert for each receiver that escalates, until all are told of its end.
escalations = Table(
    "escalations",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("due_at", TIME),
    Column("state", JSON, nullable=False),
)

# Who is on call instead of whoever would be.
overrides = Table(
    "overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("start_at", TIME, nullable=False),
    Column("end_at", TIME, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("made_at", TIME, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("run_id", String(64)),
    Column("notification", JSON, nullable=False),
    # Whether it says that somebody has an alert.
    Column("acknowledges", Boolean, nullable=False, server_default=false()),
    Column("status", String(16), nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("due_at", TIME, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Stays the same for every attempt.
    Column("message_id", String(64)),
    Column("claimed_until", TIME),
    Column("detail", Text, nullable=False),
    Index("outbox_by_due", "status", "due_at"),
    Index("outbox_by_time", "created_at"),
)

# Which alerts a message tells of.
outbox_alerts = Table(
    "outbox_alerts",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Index("outbox_alerts_by_alert", "fingerprint"),
)

# alerts.groups.GroupState: what each receiver knows.
groups = Table(
    "groups",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("flush_at", TIME, nullable=False),
    Column("state", JSON, nullable=False),
    Index("groups_by_due", "flush_at"),
)

# What the inventory says of a host that alerts are routed by, as its last sweep told.
hosts = Table(
    "hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("labels", JSON, nullable=False),
    # Names or addresses, as written.
    Column("depends_on", JSON, nullable=False),
    Column("address", Text, nullable=False),
    Column("seen_at", TIME, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", String(64), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", TIME, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Index("deliveries_by_message", "message_id"),
)

# alerts.silencing.Silence
silences = Table(
    "silences",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("matchers", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("starts_at", TIME, nullable=False),
    Column("ends_at", TIME, nullable=False),
    Column("updated_at", TIME, nullable=False),
    Column("alert", String(64)),
    Column("during", JSON, nullable=False),
    Index("silences_by_end", "ends_at"),
)

# alerts.silencing.RunSilence
run_silences = Table(
    "run_silences",
    metadata,
    Column("run", String(64), primary_key=True),
    Column("hosts", JSON, nullable=False),
    Column("symptoms", JSON, nullable=False),
    Column("starts_at", TIME, nullable=False),
    Column("ends_at", TIME, nullable=False),
)

# What is measured on hosts. The label is that of an item of performance data; empty for the value that is judged.
series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("check", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("condensed_at", Integer, nullable=False),
    UniqueConstraint("host", "check", "label", "unit"),
    Index("series_by_turn", "condensed_at"),
)

samples = Table(
    "samples",
    metadata,
    Column("series", ForeignKey("series.id"), primary_key=True),
    Column("at", Integer, primary_key=True),
    Column("value", Float, nullable=False),
    sqlite_with_rowid=False,
)


def _condensed(name: str) -> Table:
    """`n` measurements of the hour or day that begins at `at`."""
    return Table(
        name,
        metadata,
        Column("series", ForeignKey("series.id"), primary_key=True),
        Column("at", Integer, primary_key=True),
        Column("n", Integer, nullable=False),
        Column("low", Float, nullable=False),
        Column("high", Float, nullable=False),
        Column("mean", Float, nullable=False),
        sqlite_with_rowid=False,
    )


hourly = _condensed("hourly")
daily = _condensed("daily")
