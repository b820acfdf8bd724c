"""Checking a table against its schema: one query counts violations, and only failures cost a second one.

The first query holds an aggregate for every check, so the table is read once however many checks there
are. For checks that failed, the second fetches a few rows, so that people see what is wrong.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainspring.datasets.tables import collected, columns_of, reading_clearly
from mainspring.domain.check import CheckReport, CheckResult, Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, TableSchema
from mainspring.kernel.codec import digest_of
from mainspring.quality import expectations
from mainspring.quality.catalogue.entries import arguments_of, compile_expectation, unaskable
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.compiled import Check, Judged, RowCheck, ValueCheck, rows_text
from mainspring.quality.examples import example_of, masked, shown
from mainspring.quality.measure import profile_table
from mainspring.quality.own_checks import OwnChecks
from mainspring.quality.profiled import told
from mainspring.quality.sql import run_query
from mainspring.quality.tfdv_names import with_names

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import Profile

EXAMPLES = 5

_WITH_CONTEXT = 8
_WARNS = {"range": "outside-values", "categories": "unseen-values"}
_FIRST_ROWS = 16_384


def check_table(
    schema: TableSchema,
    table: "pl.DataFrame | pl.LazyFrame",
    *,
    environment: str | None = None,
    around: Surroundings | None = None,
) -> CheckReport:
    """Check a table against a schema, or against what it asks in one environment.

    `around` is what expectations may look at beyond the table; what its `profile`, which must be of this very table,
    tells is not read again. Raises `Invalid` if the table can't be read.
    """
    return Checking(schema, table, environment=environment, around=around).report()


class Checking:
    """One table being checked: the compiled checks, what they counted, and which rows fail them."""

    def __init__(
        self,
        schema: TableSchema,
        table: "pl.DataFrame | pl.LazyFrame",
        *,
        environment: str | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self._schema = schema.within(environment)
        self._whole_schema = schema
        self._table = table.lazy()
        with reading_clearly():
            self._dtypes = self._table.collect_schema()
            self._types = {column.name: column.type for column in columns_of(self._dtypes)}
        self._private = frozenset(c.name for c in schema.columns if c.private)
        self._around = self._surroundings(around or Surroundings())
        asked = self._schema.expectations
        self._own = OwnChecks(self._table, self._types, asked, self._around)
        self._around = replace(self._around, custom=self._own.outcome)
        self._marked = self._own.beside(self._table)
        self._checks = self._compiled()
        self.row_count, self._counted = self._count(self._checks)

    def report(self) -> CheckReport:
        """What was found, with rows that show it."""
        failed = [i for i, found in enumerate(self._counted) if not self._holds(i, found)]
        rowwise = [i for i in failed if isinstance(self._checks[i], RowCheck)]
        evidence = self._evidence([self._checks[i] for i in rowwise])  # type: ignore[misc] # chosen above
        seen = dict(zip(rowwise, evidence, strict=True))
        results = [_row_count_result(self._schema, self.row_count), *self._column_results()]
        results += [self._result(i, seen.get(i)) for i in range(len(self._checks))]
        results = with_names(results, self._schema)
        # What fails for too many such rows need not warn of them as well.
        blocked = {(r.column, _WARNS.get(r.check)) for r in results if not r.passed}
        results = [r for r in results if (r.column, r.check) not in blocked]
        return CheckReport(
            schema=digest_of(self._whole_schema),
            row_count=self.row_count,
            results=tuple(results),
            quarantined_row_count=self._quarantined_count(),
        )

    def split(self) -> "tuple[pl.LazyFrame, pl.LazyFrame] | None":
        """The rows to let in and those to keep apart, with `reason` added; None if all may come in."""
        import polars as pl

        failing = self._quarantining()
        if not failing:
            return None
        reason = _unused_name("reason", list(self._types))
        reasons = pl.concat_list(
            [pl.when(c.violations.fill_null(False)).then(pl.lit(_title(c))) for c in failing]
        ).list.drop_nulls()
        marked = self._marked.with_columns(reasons.list.join("; ").alias(reason))
        marked = marked.drop([mask.name for mask in self._own.masks])
        good = marked.filter(pl.col(reason) == "").drop(reason)
        return good, marked.filter(pl.col(reason) != "")

    def _quarantining(self) -> list[RowCheck]:
        return [
            check
            for i, check in enumerate(self._checks)
            if isinstance(check, RowCheck)
            and check.severity is Severity.QUARANTINE
            and not self._holds(i, self._counted[i])
        ]

    def _quarantined_count(self) -> int:
        import polars as pl

        failing = [check.violations.fill_null(False) for check in self._quarantining()]
        if not failing:
            return 0
        return int(collected(self._marked.select(pl.any_horizontal(failing).sum())).item())

    def _surroundings(self, around: Surroundings) -> Surroundings:
        self._profile = around.profile() if around.profile is not None else None
        made: list[Profile] = []

        def profile() -> "Profile":
            if not made:
                made.append(profile_table(self._table))
            return made[0]

        return replace(around, profile=around.profile or profile, query=self._query)

    def _query(self, sql: str) -> "pl.DataFrame":
        return run_query(sql, {"self": self._table}, self._around.other)

    def _compiled(self) -> list[Check]:
        checks: list[Check] = [
            check
            for column in self._schema.columns
            if column.name in self._types
            for check in expectations.of_column(
                column, self._types[column.name], self._dtypes[column.name]
            )
        ]
        if self._schema.key and all(name in self._types for name in self._schema.key):
            checks.append(expectations.of_key(self._schema.key))
        asked = self._schema.expectations
        more = [compile_expectation(e, self._types, self._dtypes, self._around) for e in asked]
        if self._misfit(more):
            # One of them does not fit the table; the others are to be checked all the same.
            for place, (expectation, check) in enumerate(zip(asked, more, strict=True)):
                if why := self._misfit([check]):
                    more[place] = unaskable(expectation, arguments_of(expectation), why)
        return [*checks, *more]

    def _misfit(self, checks: list[Check]) -> str:
        """Why expressions don't fit the table, or nothing."""
        import polars as pl

        parts = [part for check in checks for part in _measures(check)]
        try:
            # On no rows: some mistakes show only when an expression is computed.
            masks = [mask.clear() for mask in self._own.masks]
            nothing = pl.DataFrame(schema=self._dtypes).with_columns(masks)
            nothing.select([p.alias(str(i)) for i, p in enumerate(parts)])
        except pl.exceptions.PolarsError as error:
            return _first_line(error)
        return ""

    def _count(self, checks: list[Check]) -> tuple[int, list[tuple[Any, ...]]]:
        """The table's row count, and for each check what its measures came to.

        What a profile of this very table tells is taken from it; for the rest the table is read once.
        """
        import polars as pl

        profile = self._profile
        known: list[tuple[Any, ...] | None] = [None] * len(checks)
        if profile is not None:
            known = [told(check, profile, self._dtypes) for check in checks]
            if None not in known:
                return profile.row_count, [found for found in known if found is not None]
        parts = [
            [] if found is not None else list(_measures(check))
            for check, found in zip(checks, known, strict=True)
        ]
        named = [
            part.alias(f"{i}.{j}") for i, each in enumerate(parts) for j, part in enumerate(each)
        ]
        row = collected(self._marked.select(pl.len().alias("rows"), *named)).row(0)
        values = iter(row[1:])
        read = [tuple(next(values) for _ in each) for each in parts]
        return int(row[0]), [
            measured if found is None else found
            for measured, found in zip(read, known, strict=True)
        ]

    def _holds(self, number: int, found: tuple[Any, ...]) -> bool:
        check = self._checks[number]
        if isinstance(check, RowCheck):
            rows = int(found[1] or 0) if len(found) > 1 else self.row_count
            return int(found[0] or 0) <= check.allowed(rows)
        return bool(check.judge(*found).passed)

    def _evidence(
        self, failed: list[RowCheck]
    ) -> "Sequence[tuple[pl.DataFrame, pl.DataFrame | None]]":
        """For each failed check a few failing rows, and what its kind of check tells of them."""
        import polars as pl

        found = self._among_the_first(failed)
        queries: list[pl.LazyFrame] = []
        summaries: list[pl.Expr] = []
        for place, check in enumerate(failed):
            if place not in found:
                queries.append(self._examples(check, self._marked))
            for part in check.summary or ():
                # One query for the summaries of all: each alone would read the table again.
                summaries.append(part.alias(f"{place}.{part.meta.output_name()}"))
        if summaries:
            queries.append(self._marked.select(summaries))
        with reading_clearly():
            frames = iter(pl.collect_all(queries, engine="streaming") if queries else ())
        examples = [
            found[place] if place in found else next(frames) for place in range(len(failed))
        ]
        summary = next(frames, pl.DataFrame())
        return [
            (examples[place], _summary_of(summary, place) if check.summary else None)
            for place, check in enumerate(failed)
        ]

    def _among_the_first(self, failed: list[RowCheck]) -> "dict[int, pl.DataFrame]":
        """Failing rows of checks that look at one row at a time, where the first rows hold enough of them."""
        import polars as pl

        alone = {place: check for place, check in enumerate(failed) if check.alone}
        if not alone:
            return {}
        first = collected(self._marked.head(_FIRST_ROWS))
        columns = list(self._types)
        number = _unused_name("#", columns)
        first = first.with_row_index(number)
        frames: dict[int, pl.DataFrame] = {}
        for place, check in alone.items():
            # As a mask: in a filter, a question that Python answers would lose its column.
            is_failing = first.select(check.violations.fill_null(False)).to_series()
            rows = first.filter(is_failing).head(EXAMPLES)
            context = _context(check, self._schema, columns)
            frames[place] = rows.select(pl.col(number).alias("#"), pl.struct(context).alias("row"))
        is_all = first.height < _FIRST_ROWS
        return {
            place: frame for place, frame in frames.items() if is_all or frame.height == EXAMPLES
        }

    def _examples(self, check: RowCheck, table: "pl.LazyFrame") -> "pl.LazyFrame":
        import polars as pl

        columns = list(self._types)
        number = _unused_name("#", columns)
        context = _context(check, self._schema, columns)
        rows = table.with_row_index(number).filter(check.violations).head(EXAMPLES)
        return rows.select(pl.col(number).alias("#"), pl.struct(context).alias("row"))

    def _result(
        self, number: int, evidence: "tuple[pl.DataFrame, pl.DataFrame | None] | None"
    ) -> CheckResult:
        check, found = self._checks[number], self._counted[number]
        if isinstance(check, ValueCheck):
            return self._value_result(check, check.judge(*found))
        count = int(found[0] or 0)
        rows = int(found[1] or 0) if check.considered is not None else self.row_count
        examples, summary = evidence if evidence is not None else (None, None)
        return CheckResult(
            check=check.check,
            column=check.columns[0] if len(check.columns) == 1 else None,
            severity=check.severity,
            passed=evidence is None,
            observed=self._observed(check, count, rows, examples, summary),
            expected=check.expected,
            failed_row_count=count,
            examples=()
            if examples is None
            else tuple(
                masked(example_of(at, row), self._private) for at, row in examples.iter_rows()
            ),
            value=count / rows if rows and check.considered is not None else None,
            row_count=rows,
            mostly=1.0 - check.max_share,
            name=check.name,
        )

    def _observed(
        self,
        check: RowCheck,
        count: int,
        rows: int,
        examples: "pl.DataFrame | None",
        summary: "pl.DataFrame | None",
    ) -> str:
        if examples is None:
            return check.observed(count, rows, None)
        if self._private.intersection(check.columns):
            return f"{rows_text(count)}, whose values are private"
        text = check.observed(count, rows, summary)
        if check.names_values:
            values = [shown(row[check.columns[0]]) for row in examples["row"].to_list()]
            text += f", such as {', '.join(dict.fromkeys(values))}"
        return text

    def _value_result(self, check: ValueCheck, judged: Judged) -> CheckResult:
        is_private = bool(self._private.intersection(check.columns))
        return CheckResult(
            check=check.check,
            column=check.columns[0] if len(check.columns) == 1 else None,
            severity=check.severity,
            passed=judged.passed,
            observed="a private value" if is_private else judged.observed,
            expected=check.expected,
            value=None if is_private else judged.value,
            name=check.name,
        )

    def _column_results(self) -> list[CheckResult]:
        """Failures only: what else is said of a column shows that it is there."""
        missing = [_missing(c) for c in self._schema.columns if c.name not in self._types]
        # A column of another environment is known, and welcome or not as its own rules say.
        known = {column.name for column in self._whole_schema.columns}
        return [
            *(result for result in missing if result is not None),
            *(
                _extra(self._schema, name, type_)
                for name, type_ in self._types.items()
                if name not in known
            ),
        ]


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


def _measures(check: Check) -> "tuple[pl.Expr, ...]":
    if isinstance(check, ValueCheck):
        return check.measures
    count = check.violations.sum()
    if check.considered_count is not None:
        return count, check.considered_count
    return (count,) if check.considered is None else (count, check.considered.sum())


def _summary_of(summaries: "pl.DataFrame", place: int) -> "pl.DataFrame":
    """One check's part of all summaries."""
    head = f"{place}."
    mine = summaries.select([name for name in summaries.columns if name.startswith(head)])
    return mine.rename(lambda name: name.removeprefix(head))


def _title(check: RowCheck) -> str:
    if check.name:
        return check.name
    return f"{', '.join(check.columns)}: {check.check}" if check.columns else check.check


def _context(check: RowCheck, schema: TableSchema, columns: list[str]) -> list[str]:
    """The columns to show of a failing row: what failed, what names the row, and some others."""
    first = [*check.columns, *schema.key]
    first += [column.name for column in schema.columns if column.unique]
    return list(dict.fromkeys(name for name in [*first, *columns] if name in columns))[
        :_WITH_CONTEXT
    ]


def _unused_name(name: str, columns: list[str]) -> str:
    while name in columns:
        name += "#"
    return name


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


def _row_count_result(schema: TableSchema, row_count: int) -> CheckResult:
    return CheckResult(
        check="row-count",
        column=None,
        severity=Severity.BLOCK,
        passed=row_count >= schema.min_row_count,
        observed=f"{row_count:,} rows",
        expected=f"at least {schema.min_row_count:,} rows",
        value=row_count,
    )


def _extra(schema: TableSchema, name: str, type_: DataType) -> CheckResult:
    return CheckResult(
        check="extra-column",
        column=name,
        severity=Severity.WARN if schema.allow_extra_columns else Severity.BLOCK,
        passed=False,
        observed=f"a column {shown(name)} of type {type_.value}",
        expected="no columns beyond those of the schema",
    )


def _missing(column: ColumnSchema) -> CheckResult | None:
    if not column.required:
        return None
    return CheckResult(
        check="missing-column",
        column=column.name,
        severity=Severity.BLOCK if column.severity is Severity.QUARANTINE else column.severity,
        passed=False,
        observed="no such column",
        expected=f"a column {shown(column.name)} of type {column.type.value}",
    )
