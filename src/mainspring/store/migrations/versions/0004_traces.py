"""Traces, their spans, and what was said of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the traces room."""
    op.create_table(
        "traces",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("experiment", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("client_request_id", sa.String(length=250), nullable=True),
        sa.Column("request_preview", sa.Text(), nullable=True),
        sa.Column("response_preview", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.id"], name=op.f("fk_traces_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traces")),
    )
    op.create_index(
        "ix_traces_experiment_started_at",
        "traces",
        ["experiment", "started_at", "id"],
        unique=False,
    )
    op.create_table(
        "assessments",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("trace", sa.String(length=100), nullable=False),
        sa.Column("span", sa.String(length=16), nullable=True),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source_type", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("rationale", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("overrides", sa.String(length=100), nullable=True),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["traces.id"], name=op.f("fk_assessments_trace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
    )
    op.create_index("ix_assessments_kind_name", "assessments", ["kind", "name"], unique=False)
    op.create_index("ix_assessments_trace", "assessments", ["trace"], unique=False)
    op.create_table(
        "span_attributes",
        sa.Column("trace", sa.String(length=100), nullable=False),
        sa.Column("span", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["traces.id"], name=op.f("fk_span_attributes_trace")),
        sa.PrimaryKeyConstraint("trace", "span", "key", name=op.f("pk_span_attributes")),
    )
    op.create_table(
        "spans",
        sa.Column("trace", sa.String(length=100), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=16), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["traces.id"], name=op.f("fk_spans_trace")),
        sa.PrimaryKeyConstraint("trace", "id", name=op.f("pk_spans")),
    )
    op.create_table(
        "trace_links",
        sa.Column("trace", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("target", sa.String(length=600), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["traces.id"], name=op.f("fk_trace_links_trace")),
        sa.PrimaryKeyConstraint("trace", "kind", "target", name=op.f("pk_trace_links")),
    )
    op.create_index("ix_trace_links_kind_target", "trace_links", ["kind", "target"], unique=False)
    op.create_table(
        "trace_metadata",
        sa.Column("trace", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["traces.id"], name=op.f("fk_trace_metadata_trace")),
        sa.PrimaryKeyConstraint("trace", "key", name=op.f("pk_trace_metadata")),
    )
    op.create_table(
        "trace_tags",
        sa.Column("trace", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trace"], ["traces.id"], name=op.f("fk_trace_tags_trace")),
        sa.PrimaryKeyConstraint("trace", "key", name=op.f("pk_trace_tags")),
    )
