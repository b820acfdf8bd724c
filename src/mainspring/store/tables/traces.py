"""Traces, their spans, and what was said of them.

Writing a span is an append: its row, and one for each attribute. What searches ask for stands in columns;
`content` is read only to show a span and for searches in its text.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from mainspring.domain.trace import AssessmentError
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

# `is_told`: whether its program has told how it went, so that spans that come later don't change it.
traces = Table(
    "traces",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("experiment", String(64), ForeignKey("experiments.id"), nullable=False),
    Column("state", String(20), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("is_told", Boolean, nullable=False),
    Column("client_request_id", String(250)),
    Column("request_preview", Text),
    Column("response_preview", Text),
    Index("ix_traces_experiment_started_at", "experiment", "started_at", "id"),
)

trace_tags = Table(
    "trace_tags",
    metadata,
    Column("trace", String(100), ForeignKey("traces.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("trace", "key"),
)

trace_metadata = Table(
    "trace_metadata",
    metadata,
    Column("trace", String(100), ForeignKey("traces.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("trace", "key"),
)

# What a trace belongs to: `kind` is `run`, `model` (a logged model) or `prompt` (`<name>/<version>`).
trace_links = Table(
    "trace_links",
    metadata,
    Column("trace", String(100), ForeignKey("traces.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("target", String(600), nullable=False),
    PrimaryKeyConstraint("trace", "kind", "target"),
    Index("ix_trace_links_kind_target", "kind", "target"),
)

spans = Table(
    "spans",
    metadata,
    Column("trace", String(100), ForeignKey("traces.id"), nullable=False),
    Column("id", String(16), nullable=False),
    Column("parent", String(16)),
    Column("name", Text, nullable=False),
    Column("type", String(100), nullable=False),
    Column("status", String(8), nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("content", Text, nullable=False),
    PrimaryKeyConstraint("trace", "id"),
)

# `value` is the attribute as text, cut to what searches look at.
span_attributes = Table(
    "span_attributes",
    metadata,
    Column("trace", String(100), ForeignKey("traces.id"), nullable=False),
    Column("span", String(16), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("trace", "span", "key"),
)

# `value` is JSON as text, `number` the same if it is a number.
assessments = Table(
    "assessments",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("trace", String(100), ForeignKey("traces.id"), nullable=False),
    Column("span", String(16)),
    Column("name", String(250), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source_type", String(100), nullable=False),
    Column("source", String(500), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("value", Text, nullable=False),
    Column("number", Double),
    Column("error", Json(AssessmentError)),
    Column("rationale", Text),
    Column("metadata", Json(dict[str, str]), nullable=False),
    Column("overrides", String(100)),
    Column("valid", Boolean, nullable=False),
    Index("ix_assessments_trace", "trace"),
    Index("ix_assessments_kind_name", "kind", "name"),
)
