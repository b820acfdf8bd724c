"""Proposing the least change of a schema with which a table passes, as an edit of the file that people own."""

import difflib
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mainspring.domain.check import CheckReport, CheckResult
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import check_table
from mainspring.quality.infer import describe, infer_schema
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import ColumnProfile, Profile
from mainspring.quality.schema_edit import with_key, without_table
from mainspring.quality.schema_file import parse_schema
from mainspring.quality.schema_text import column_lines, toml_value

if TYPE_CHECKING:
    import polars as pl

_MOST_CATEGORIES = 200
_OF_TYPE = (
    "min",
    "max",
    "max_outside_share",
    "categories",
    "max_unseen_share",
    "pattern",
    "increasing",
)
_RANGES = ("min_value", "max_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The schema's text as it would be, and in a line each what is changed and why."""

    toml: str
    changes: tuple[str, ...]
    diff: str


def propose(
    text: str,
    table: "pl.DataFrame | pl.LazyFrame",
    *,
    environment: str | None = None,
    around: Surroundings | None = None,
) -> Proposal:
    """What to change of a schema's text so that a table passes every check of it; nothing else is touched.

    Raises `Invalid` if the text is written in a way that can't be edited line by line.
    """
    schema = parse_schema(text)
    report = check_table(schema, table, environment=environment, around=around)
    if all(result.passed for result in report.results):
        return Proposal(toml=text, changes=(), diff="")
    profile = around.profile() if around and around.profile else profile_table(table)
    editor = _Editor(text=text, schema=schema, profile=profile, table=table)
    editor.apply(report, environment)
    parse_schema(editor.text)
    diff = difflib.unified_diff(
        text.splitlines(keepends=True),
        editor.text.splitlines(keepends=True),
        "in force",
        "proposed",
    )
    return Proposal(toml=editor.text, changes=tuple(editor.changes), diff="".join(diff))


class _Editor:
    """Applies one change after the other to the text."""

    def __init__(
        self,
        *,
        text: str,
        schema: TableSchema,
        profile: Profile,
        table: "pl.DataFrame | pl.LazyFrame",
    ) -> None:
        self.text = text
        self.changes: list[str] = []
        self._schema = schema
        self._profile = profile
        self._table = table
        self._inferred: TableSchema | None = None

    def apply(self, report: CheckReport, environment: str | None) -> None:
        columns = {column.name: column for column in self._schema.columns}
        asked = len(self._schema.within(environment).expectations)
        of_expectations = report.results[len(report.results) - asked :] if asked else ()
        for result in report.results[: len(report.results) - asked]:
            if not result.passed:
                self._widen(result, columns.get(result.column or ""))
        indices = [
            i
            for i, e in enumerate(self._schema.expectations)
            if environment is None or not e.environments or environment in e.environments
        ]
        # From the last on, so that those before keep their places when one goes.
        for index, result in reversed(list(zip(indices, of_expectations, strict=True))):
            if not result.passed:
                self._relax(index, self._schema.expectations[index], result)

    def _set(self, column: str, key: str, value: object, why: str) -> None:
        written = None if value is None else toml_value(value)
        self.text = with_key(self.text, ("column", column), key, written)
        said = f"{key} = {written}" if written is not None else f"{key} is dropped"
        self.changes.append(f"{column}: {said} ({why})")

    def _set_top(self, key: str, value: object, why: str) -> None:
        written = None if value is None else toml_value(value)
        self.text = with_key(self.text, (), key, written)
        self.changes.append(f"{key}: {written or 'dropped'} ({why})")

    def _widen(self, result: CheckResult, column: ColumnSchema | None) -> None:
        name, why = result.column or "", result.observed
        match result.check:
            case "row-count":
                self._set_top("min_row_count", self._profile.row_count, why)
            case "key":
                self._set_top("key", None, why)
            case "extra-column":
                self._add_column(name)
            case "missing-column":
                self._set(name, "required", False, why)
            case "missing-values":
                self._set(name, "max_null_share", self._missing(name), why)
            case "unique" | "increasing" | "pattern":
                self._set(name, result.check, None, why)
            case "range" | "outside-values" if column is not None:
                self._widen_range(column, why)
            case "categories" | "unseen-values" if column is not None:
                self._widen_categories(column, why)
            case "type" if column is not None:
                self._retype(column, why)
            case _:
                raise Invalid(f"no change is known for a failed {result.check}")

    def _missing(self, name: str) -> float:
        column = self._seen(name)
        return min(1.0, math.ceil(column.missing_share * 1e6) / 1e6)

    def _seen(self, name: str) -> ColumnProfile:
        found = self._profile.column(name)
        if found is None:
            raise Invalid(f"there is no column {name!r}")
        return found

    def _widen_range(self, column: ColumnSchema, why: str) -> None:
        low, high = self._ends(column.name)
        if column.minimum is not None and _is_beyond(low, column.minimum):
            self._set(column.name, "min", low, why)
        if column.maximum is not None and _is_beyond(column.maximum, high):
            self._set(column.name, "max", high, why)

    def _ends(self, name: str) -> tuple[Any, Any]:
        """The least and greatest value; no bound of a float can hold infinity."""
        import polars as pl

        value = pl.col(name)
        if self._seen(name).type is DataType.FLOAT:
            value = value.cast(pl.Float64).fill_nan(None)
        frame = self._table.lazy().select(value.min().alias("low"), value.max().alias("high"))
        low, high = frame.collect().row(0)
        return _as_bound(low, -math.inf), _as_bound(high, math.inf)

    def _widen_categories(self, column: ColumnSchema, why: str) -> None:
        import polars as pl

        known = list(column.categories or ())
        value = pl.col(column.name)
        if column.type is DataType.STRING:
            value = value.cast(pl.String)
        values = self._table.lazy().select(value.drop_nulls().unique().sort()).collect()
        added = [v for v in values.to_series().to_list() if v not in set(known)]
        if len(known) + len(added) > _MOST_CATEGORIES:
            self._set(column.name, "categories", None, f"{why}: too many to list")
            if column.max_unseen_share:
                self._set(column.name, "max_unseen_share", None, "it lists no categories")
            return
        if column.type.is_numeric:
            added = [int(v) if column.type is DataType.INTEGER else float(v) for v in added]
        self._set(column.name, "categories", [*known, *added], why)

    def _retype(self, column: ColumnSchema, why: str) -> None:
        """Another type, without what does not fit it."""
        found = self._seen(column.name).type
        if column.type is DataType.INTEGER and found is DataType.FLOAT:
            self._set(column.name, "type", "float", why)
            return
        for key in _OF_TYPE:
            if f"\n{key} " in f"\n{self._table_text(column.name)}":
                self._set(column.name, key, None, f"it was of type {column.type.value}")
        self._set(column.name, "type", found.value, why)
        share = self._missing(column.name)
        if share > column.max_null_share:
            self._set(column.name, "max_null_share", share, "missing values")

    def _table_text(self, name: str) -> str:
        written = parse_schema(self.text)
        column = next(c for c in written.columns if c.name == name)
        return "\n".join(column_lines(column))

    def _add_column(self, name: str) -> None:
        if self._inferred is None:
            self._inferred = infer_schema(self._schema.dataset, self._table, profile=self._profile)
        column = next(c for c in self._inferred.columns if c.name == name)
        column = replace(column, required=True)
        lines = column_lines(column, describe(self._seen(name)))
        self.text = f"{self.text.rstrip()}\n\n" + "\n".join(lines) + "\n"
        self.changes.append(f"{name}: a new column of type {column.type.value}")

    def _relax(self, index: int, expectation: Expectation, result: CheckResult) -> None:
        """Let an expectation hold: by its `mostly`, by its range, or by leaving it out."""
        place, why = ("expect", index), result.observed
        title = result.name or f"{result.column or 'table'}, {result.check}"
        if result.row_count:
            share = 1 - result.failed_row_count / result.row_count
            mostly = math.floor(share * 1e6) / 1e6
            if mostly > 0:
                self.text = with_key(self.text, place, "mostly", toml_value(mostly))
                self.changes.append(f"{title}: mostly = {mostly} ({why})")
                return
        widened = _widened(expectation, result.value)
        if widened:
            for key, value in widened.items():
                self.text = with_key(self.text, place, key, toml_value(value))
                self.changes.append(f"{title}: {key} = {value} ({why})")
            return
        self.text = without_table(self.text, place)
        self.changes.append(f"{title}: left out ({why})")


def _widened(expectation: Expectation, value: Any) -> dict[str, Any]:
    """The ends of a range that a number lies outside of, moved to it; `Any` is what was observed."""
    if not isinstance(value, int | float) or not any(
        key in expectation.arguments for key in _RANGES
    ):
        return {}
    low, high = (expectation.arguments.get(key) for key in _RANGES)
    if isinstance(low, int | float) and value <= low:
        return {"min_value": value} | _unstrict(expectation, "strict_min")
    if isinstance(high, int | float) and value >= high:
        return {"max_value": value} | _unstrict(expectation, "strict_max")
    return {}


def _unstrict(expectation: Expectation, key: str) -> dict[str, Any]:
    return {key: False} if expectation.arguments.get(key) else {}


def _as_bound(value: Any, outwards: float) -> Any:
    """An extreme value as a bound that includes it; None if no bound does. `Any`: numbers, dates and times."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if value is None or (isinstance(value, float) and math.isinf(value)):
        return None
    # Bounds are floats, which beyond 2^53 may lie inside of a whole number.
    is_inside = (float(value) - value) * outwards < 0
    return math.nextafter(float(value), outwards) if is_inside else value


def _is_beyond(one: Any, other: Any) -> bool:
    """Whether a bound is below another; None is without end."""
    if one is None or other is None:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return _instant(one) < _instant(other)
    return bool(one < other)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
