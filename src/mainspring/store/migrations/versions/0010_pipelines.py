"""Pipelines: triggers; runs that wait; partitions and backfills; limits."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Triggers, what happened for them, and the runs that they asked for; what runs wait for; backfills."""
    op.create_table(
        "triggers",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("project", sa.String(length=80), nullable=False),
        sa.Column("environment", sa.String(length=80), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("applied_by", sa.String(length=200), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("tips", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_triggers")),
    )
    op.create_table(
        "trigger_causes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("trigger", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_causes")),
        sa.UniqueConstraint("trigger", "key", name=op.f("uq_trigger_causes_trigger_key")),
    )
    op.create_index(
        "ix_trigger_causes_trigger_state_id", "trigger_causes", ["trigger", "state", "id"]
    )
    op.create_index("ix_trigger_causes_run_id", "trigger_causes", ["run", "id"])
    op.add_column("pipeline_runs", sa.Column("trigger", sa.String(200)))
    op.add_column("pipeline_runs", sa.Column("cause_count", sa.Integer()))
    op.create_index(
        "ix_pipeline_runs_trigger_requested_at", "pipeline_runs", ["trigger", "requested_at"]
    )
    op.create_table(
        "waits",
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["pipeline_runs.id"], name=op.f("fk_waits_run")),
        sa.PrimaryKeyConstraint("run", "node", name=op.f("pk_waits")),
    )
    op.create_index("ix_waits_kind_settled", "waits", ["kind", "settled"])
    op.add_column("pipeline_runs", sa.Column("partition", sa.String(200)))
    op.create_index(
        "ix_pipeline_runs_pipeline_partition", "pipeline_runs", ["pipeline", "partition"]
    )
    op.create_table(
        "backfills",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("pipeline", sa.String(length=300), nullable=False),
        sa.Column("graph", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("project", sa.String(length=80), nullable=False),
        sa.Column("environment", sa.String(length=80), nullable=False),
        sa.Column("reprocess", sa.String(length=16), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfills")),
    )
    op.create_index("ix_backfills_state", "backfills", ["state"])
    op.create_table(
        "backfill_parts",
        sa.Column("backfill", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("partition", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["backfill"], ["backfills.id"], name=op.f("fk_backfill_parts_backfill")
        ),
        sa.PrimaryKeyConstraint("backfill", "number", name=op.f("pk_backfill_parts")),
        sa.UniqueConstraint(
            "backfill", "partition", name=op.f("uq_backfill_parts_backfill_partition")
        ),
    )
    op.create_index(
        "ix_backfill_parts_backfill_state", "backfill_parts", ["backfill", "state", "number"]
    )
    op.add_column("pipeline_runs", sa.Column("priority", sa.Integer()))
    op.add_column("steps", sa.Column("uses", sa.String(200)))
    op.create_index("ix_steps_uses_started_at", "steps", ["uses", "started_at"])
    op.create_table(
        "limits",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=True),
        sa.Column("starts", sa.Integer(), nullable=True),
        sa.Column("per_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_limits")),
    )
