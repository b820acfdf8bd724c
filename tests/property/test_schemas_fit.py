"""A schema inferred from data passes that data, and survives being written to a file."""

from datetime import date, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.quality.checks import check_table
from mainspring.quality.infer import infer_schema, infer_toml
from mainspring.quality.propose import propose
from mainspring.quality.report import report_lines
from mainspring.quality.schema_file import parse_schema

VALUES: dict[pl.DataType, st.SearchStrategy[object]] = {
    pl.Float64(): st.floats(width=64),
    pl.Float32(): st.floats(width=32),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.Int8(): st.integers(-3, 3),
    pl.UInt64(): st.integers(0, 2**64 - 1),
    pl.String(): st.one_of(
        st.text(max_size=8), st.from_regex(r"[0-9]{2}-[0-9]{3}", fullmatch=True)
    ),
    pl.Boolean(): st.booleans(),
    pl.Date(): st.dates(date(1800, 1, 1), date(2200, 1, 1)),
    pl.Datetime("us"): st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)),
    pl.Datetime("us", "Europe/Berlin"): st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)),
    pl.List(pl.Int64()): st.lists(st.integers(0, 9), max_size=2),
}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.sampled_from([0, 1, 5, 25, 60]))
    texts = st.text(max_size=6).filter(lambda text: text != "*" and text[:1] != "^")
    names = draw(st.lists(texts, min_size=1, max_size=4, unique=True))
    columns = []
    for name in names:
        dtype = draw(st.sampled_from(list(VALUES)))
        pool = draw(st.lists(VALUES[dtype], min_size=1, max_size=height + 1))
        nulls = draw(st.sampled_from([0, 0, 2, 3, 1]))
        cells = [
            None if nulls and n % nulls == 0 else pool[(n * 7) % len(pool)] for n in range(height)
        ]
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            column = pl.Series(name, cells, dtype=pl.Datetime("us"))
            columns.append(column.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone))
        else:
            columns.append(pl.Series(name, cells, dtype=dtype))
    return pl.DataFrame(columns)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_an_inferred_schema_passes_the_data_it_was_inferred_from(table: pl.DataFrame) -> None:
    report = check_table(infer_schema("d", table), table)

    assert report.passed, "\n".join(report_lines(report))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_an_inferred_schema_survives_being_written(table: pl.DataFrame) -> None:
    assert parse_schema(infer_toml("d", table)) == infer_schema("d", table)


@settings(max_examples=120, deadline=None)
@given(tables(), tables())
def test_an_accepted_proposal_lets_the_data_pass_and_changes_nothing_else(
    before: pl.DataFrame, now: pl.DataFrame
) -> None:
    text = infer_toml("d", before)
    schema = parse_schema(text)
    failing = {(r.column, r.check) for r in check_table(schema, now).results if not r.passed}

    proposal = propose(text, now)

    proposed = parse_schema(proposal.toml)
    report = check_table(proposed, now)
    assert all(r.passed for r in report.results), "\n".join(report_lines(report))
    assert bool(proposal.changes) is bool(failing)
    touched = {column for column, _ in failing}
    kept = [c for c in schema.columns if c.name not in touched]
    assert [c for c in proposed.columns if c.name not in touched] == kept
    if not failing:
        assert proposal.toml == text


def test_a_proposal_leaves_comments_and_layout_as_they_are() -> None:
    text = (
        'dataset = "rides" # ours\n\n[column.temp]\n# in the shade\ntype = "float"\n'
        'max = 30 # so far\n\n[column.weather]\ntype = "string"\ncategories = [\n  "sun", # dry\n'
        '  "rain",\n]\n\n[[expect]]\nthat = "column_values_to_be_unique"\ncolumn = "temp" # ids\n'
    )
    table = pl.DataFrame(
        {"temp": [35.5, 20.0, 20.0, 1.0], "weather": ["sun", "hail", "sun", "rain"]}
    )

    proposal = propose(text, table)

    assert [line for line in proposal.diff.splitlines() if line[:1] in "+-"][2:] == [
        "-max = 30 # so far",
        "+max = 35.5  # so far",
        "-categories = [",
        '-  "sun", # dry',
        '-  "rain",',
        "-]",
        '+categories = ["sun", "rain", "hail"]',
        "+mostly = 0.5",
    ]
    assert proposal.changes[0] == "temp: max = 35.5 (1 row outside (35.5))"
