"""Checking a table against its schema: one query counts violations, and only failures cost a second one.

The first query holds an aggregate for every check, so the table is read once however many checks there
are. For checks that failed, the second fetches a few rows, so that people see what is wrong.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.datasets.tables import collected, columns_of, reading_clearly
from mainspring.domain.check import CheckReport, CheckResult, Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, TableSchema
from mainspring.kernel.codec import digest_of
from mainspring.quality import expectations
from mainspring.quality.examples import example_of, shown
from mainspring.quality.expectations import Expectation

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 5

_WITH_CONTEXT = 8


def check_table(schema: TableSchema, table: "pl.DataFrame | pl.LazyFrame") -> CheckReport:
    """Check a table against a schema. Raises `Invalid` if the table can't be read."""
    lazy = table.lazy()
    with reading_clearly():
        found = {column.name: column.type for column in columns_of(lazy.collect_schema())}
        expected = _expectations(schema, found, lazy.collect_schema())
    row_count, counts = _count(lazy, expected)
    failed = [
        i for i, (e, n) in enumerate(zip(expected, counts, strict=True)) if n > e.allowed(row_count)
    ]
    evidence = _evidence(lazy, [expected[i] for i in failed], schema)
    seen = dict(zip(failed, evidence, strict=True))
    results = [_row_count_result(schema, row_count), *_column_results(schema, found)]
    for i, (expectation, count) in enumerate(zip(expected, counts, strict=True)):
        results.append(_result(expectation, count, row_count, seen.get(i)))
    return CheckReport(schema=digest_of(schema), row_count=row_count, results=tuple(results))


def not_a_table(schema: TableSchema) -> CheckReport:
    """The report on files that are no table, where the schema asks for one."""
    return CheckReport(
        schema=digest_of(schema),
        row_count=0,
        results=(
            CheckResult(
                check="table",
                column=None,
                severity=Severity.BLOCK,
                passed=False,
                observed="other files",
                expected="a table (Parquet, CSV, TSV or JSON lines)",
            ),
        ),
    )


def _expectations(
    schema: TableSchema, found: dict[str, DataType], dtypes: "pl.Schema"
) -> list[Expectation]:
    expected = [
        expectation
        for column in schema.columns
        if column.name in found
        for expectation in expectations.of_column(column, found[column.name], dtypes[column.name])
    ]
    if schema.key and all(name in found for name in schema.key):
        expected.append(expectations.of_key(schema.key))
    return expected


def _count(lazy: "pl.LazyFrame", expected: list[Expectation]) -> tuple[int, list[int]]:
    import polars as pl

    aggregates = [e.violations.sum().alias(str(i)) for i, e in enumerate(expected)]
    row = collected(lazy.select(pl.len().alias("rows"), *aggregates)).row(0)
    return int(row[0]), [int(count or 0) for count in row[1:]]


def _evidence(
    lazy: "pl.LazyFrame", failed: list[Expectation], schema: TableSchema
) -> "Sequence[tuple[pl.DataFrame, pl.DataFrame | None]]":
    """For each failed check a few failing rows, and what its kind of check tells of them."""
    import polars as pl

    columns = lazy.collect_schema().names()
    queries: list[pl.LazyFrame] = []
    for expectation in failed:
        number = _unused_name("#", columns)
        context = _context(expectation, schema, columns)
        rows = lazy.with_row_index(number).filter(expectation.violations).head(EXAMPLES)
        queries.append(rows.select(pl.col(number).alias("#"), pl.struct(context).alias("row")))
        if expectation.summary is not None:
            queries.append(lazy.filter(expectation.violations).select(*expectation.summary))
    with reading_clearly():
        frames = iter(pl.collect_all(queries, engine="streaming")) if queries else iter(())
    return [
        (next(frames), next(frames) if expectation.summary is not None else None)
        for expectation in failed
    ]


def _context(expectation: Expectation, schema: TableSchema, columns: list[str]) -> list[str]:
    """The columns to show of a failing row: what failed, what names the row, and some others."""
    first = [*expectation.columns, *schema.key]
    first += [column.name for column in schema.columns if column.unique]
    return list(dict.fromkeys(name for name in [*first, *columns] if name in columns))[
        :_WITH_CONTEXT
    ]


def _unused_name(name: str, columns: list[str]) -> str:
    while name in columns:
        name += "#"
    return name


def _result(
    expectation: Expectation,
    count: int,
    row_count: int,
    evidence: "tuple[pl.DataFrame, pl.DataFrame | None] | None",
) -> CheckResult:
    examples, summary = evidence if evidence is not None else (None, None)
    return CheckResult(
        check=expectation.check,
        column=expectation.columns[0] if len(expectation.columns) == 1 else None,
        severity=expectation.severity,
        passed=evidence is None,
        observed=expectation.observed(count, row_count, summary),
        expected=expectation.expected,
        failed_row_count=count,
        examples=()
        if examples is None
        else tuple(example_of(number, row) for number, row in examples.iter_rows()),
    )


def _row_count_result(schema: TableSchema, row_count: int) -> CheckResult:
    return CheckResult(
        check="row-count",
        column=None,
        severity=Severity.BLOCK,
        passed=row_count >= schema.min_row_count,
        observed=f"{row_count:,} rows",
        expected=f"at least {schema.min_row_count:,} rows",
    )


def _column_results(schema: TableSchema, found: dict[str, DataType]) -> list[CheckResult]:
    """Failures only: what else is said of a column shows that it is there."""
    missing = [_missing(column) for column in schema.columns if column.name not in found]
    known = {column.name for column in schema.columns}
    return [
        *(result for result in missing if result is not None),
        *(
            CheckResult(
                check="extra-column",
                column=name,
                severity=Severity.WARN if schema.allow_extra_columns else Severity.BLOCK,
                passed=False,
                observed=f"a column {shown(name)} of type {type_.value}",
                expected="no columns beyond those of the schema",
            )
            for name, type_ in found.items()
            if name not in known
        ),
    ]


def _missing(column: ColumnSchema) -> CheckResult | None:
    if not column.required:
        return None
    return CheckResult(
        check="missing-column",
        column=column.name,
        severity=column.severity,
        passed=False,
        observed="no such column",
        expected=f"a column {shown(column.name)} of type {column.type.value}",
    )
