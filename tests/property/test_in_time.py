"""Reads as of a moment and joins in time, against models that look at one row after the other."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.datasets.in_time import as_of
from mainspring.datasets.join_in_time import TimedJoin, join_in_time, write_joined
from mainspring.domain.times import Times

START = datetime(2026, 1, 31, tzinfo=UTC)
zones = st.sampled_from([None, "UTC", "America/New_York"])
minutes = st.one_of(st.none(), st.integers(-5, 5))


def column(found: list[int | None], zone: str | None, unit: Any = "us") -> pl.Series:
    """Minutes around the start as times."""
    moments = [None if m is None else START + timedelta(minutes=m) for m in found]
    series = pl.Series(moments, dtype=pl.Datetime(unit, "UTC"))
    return series.dt.convert_time_zone(zone) if zone else series.dt.replace_time_zone(None)


@given(
    st.lists(st.tuples(minutes, minutes, st.one_of(st.none(), st.integers(0, 3)))),
    zones,
    zones,
    st.sampled_from(["ms", "us", "ns"]),
    st.integers(-5, 5),
)
def test_a_read_as_of_a_moment_knows_nothing_from_later(
    rows: list[tuple[Any, ...]], event_zone: str | None, label_zone: str | None, unit: str, at: int
) -> None:
    events, labelled, labels = ([row[place] for row in rows] for place in range(3))
    table = pl.DataFrame(
        {
            "n": list(range(len(rows))),
            "at": column(events, event_zone, unit),
            "known": column(labelled, label_zone, unit),
            "label": pl.Series(labels, dtype=pl.Int64),
        }
    )
    times = Times(event_time="at", label_at="known", labels=("label",))

    seen = as_of(table.lazy(), times, START + timedelta(minutes=at)).collect()

    expected = [
        (n, label if known is not None and known <= at else None)
        for n, (event, known, label) in enumerate(rows)
        if event is not None and event <= at
    ]
    assert seen.select("n", "label").rows() == expected
    assert seen["known"].null_count() == sum(
        known is None or known > at for event, known, _ in rows if event is not None and event <= at
    )
    assert seen.schema == table.schema


keyed = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 2)), st.sampled_from("ab"), minutes), max_size=12
)


@settings(max_examples=60)
@given(
    keyed,
    keyed,
    st.sampled_from([(), ("k",), ("k", "j")]),
    st.one_of(st.none(), st.integers(0, 4)),
    st.sampled_from([None, "rank"]),
    st.sampled_from([1 << 20, 150]),
)
def test_a_join_takes_the_newest_earlier_row_of_the_same_key(  # noqa: PLR0917  # drawn one by one
    labels: list[Any],
    features: list[Any],
    by: tuple[str, ...],
    oldest: int | None,
    tie_breaker: str | None,
    part_bytes: int,
) -> None:
    left, right = (table_of(rows) for rows in (labels, features))
    right = right.with_columns(
        value=pl.int_range(pl.len()),
        rank=-(pl.int_range(pl.len()) % 3),
        late=pl.int_range(pl.len()),
        known=pl.col("at").dt.offset_by("2m"),
    )
    how = TimedJoin(
        by=by,
        left_time="at",
        right_time="at",
        max_age=None if oldest is None else timedelta(minutes=oldest),
        tie_breaker=tie_breaker,
        late_at="known",
        late=("late",),
    )

    joined = join_in_time(left.lazy(), right.lazy(), how, part_bytes=part_bytes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "joined.parquet")
        write_joined(left.lazy(), right.lazy(), how, path, part_bytes=part_bytes)
        written = pl.read_parquet(path)

    assert joined.select(left.columns).equals(left)
    found = [newest(label, features, by, oldest, tie_breaker is not None) for label in labels]
    assert joined["value"].to_list() == found
    assert joined["late"].to_list() == [
        value if value is not None and label[2] >= features[value][2] + 2 else None
        for value, label in zip(found, labels, strict=True)
    ]
    assert written.equals(joined)


def table_of(rows: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "k": pl.Series([row[0] for row in rows], dtype=pl.Int64),
            "j": pl.Series([row[1] for row in rows], dtype=pl.String),
            "at": column([row[2] for row in rows], None),
        }
    )


def newest(
    label: Any, features: list[Any], by: tuple[str, ...], oldest: int | None, has_tie_breaker: bool
) -> int | None:
    places = {"k": 0, "j": 1}
    found = []
    for value, feature in enumerate(features):
        keys = [(label[places[name]], feature[places[name]]) for name in by]
        if any(one is None or one != other for one, other in keys):
            continue
        if label[2] is None or feature[2] is None or feature[2] > label[2]:
            continue
        if oldest is not None and label[2] - feature[2] > oldest:
            continue
        found.append((feature[2], -(value % 3) if has_tie_breaker else 0, value))
    return max(found)[2] if found else None
