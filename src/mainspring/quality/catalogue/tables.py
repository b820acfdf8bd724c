"""Expectations of a table's shape: its columns, their types, its rows."""

from collections.abc import Callable
from dataclasses import replace

from mainspring.domain.data_type import DataType
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Bound, Scope, between
from mainspring.quality.compiled import Judged, ValueCheck
from mainspring.quality.profiled import row_count

# What other tools call our types, by how the name begins.
_TYPE_NAMES = {
    DataType.INTEGER: ("int", "uint", "long", "bigint", "smallint", "byte", "short", "tinyint"),
    DataType.FLOAT: ("float", "double", "decimal", "numeric", "real", "number"),
    DataType.STRING: ("str", "object", "char", "varchar", "text", "string", "utf8", "categor"),
    DataType.BOOLEAN: ("bool",),
    DataType.DATE: ("date",),
    DataType.DATETIME: ("datetime", "timestamp"),
    DataType.OTHER: ("list", "array", "struct", "dict", "bytes", "binary", "other"),
}


@entry
def table_row_count_to_be_between(
    scope: Scope,
    *,
    min_value: Bound = None,
    max_value: Bound = None,
    strict_min: bool = False,
    strict_max: bool = False,
) -> ValueCheck:
    """The table has so many rows."""

    def judge(count: int) -> Judged:
        above = min_value is None or (
            count > float(min_value) if strict_min else count >= float(min_value)
        )
        below = max_value is None or (
            count < float(max_value) if strict_max else count <= float(max_value)
        )
        return Judged(passed=above and below, observed=f"{count:,} rows", value=count)

    said = f"{between(min_value, max_value, strict_min, strict_max)} rows"
    return _counting(scope, judge, said)


@entry
def table_row_count_to_equal(scope: Scope, *, value: float) -> ValueCheck:
    """The table has exactly so many rows."""

    def judge(count: int) -> Judged:
        return Judged(passed=count == value, observed=f"{count:,} rows", value=count)

    return _counting(scope, judge, f"{value:,.0f} rows")


@entry
def table_column_count_to_be_between(
    scope: Scope, *, min_value: Bound = None, max_value: Bound = None
) -> ValueCheck:
    """The table has so many columns."""
    count = len(scope.types)
    passed = (min_value is None or count >= float(min_value)) and (
        max_value is None or count <= float(max_value)
    )
    found = Judged(passed=passed, observed=f"{count} columns", value=count)
    return scope.table([], lambda: found, f"{between(min_value, max_value)} columns")


@entry
def table_column_count_to_equal(scope: Scope, *, value: float) -> ValueCheck:
    """The table has exactly so many columns."""
    count = len(scope.types)
    found = Judged(passed=count == value, observed=f"{count} columns", value=count)
    return scope.table([], lambda: found, f"{value:g} columns")


@entry
def table_columns_to_match_ordered_list(
    scope: Scope, *, column_list: list[str] | None = None
) -> ValueCheck:
    """The table has exactly these columns in this order."""
    names = list(scope.types)
    wanted = column_list or []
    wrong = [
        f"{seen or 'nothing'} in the place of {want or 'nothing'}"
        for seen, want in zip(
            [*names, *[""] * (len(wanted) - len(names))],
            [*wanted, *[""] * (len(names) - len(wanted))],
            strict=True,
        )
        if seen != want
    ]
    passed = column_list is None or names == wanted
    observed = "; ".join(wrong[:5]) if not passed else "in that order"
    found = Judged(passed=passed, observed=observed, value=names)
    return scope.table([], lambda: found, f"the columns {', '.join(wanted)}")


@entry
def table_columns_to_match_set(
    scope: Scope, *, column_set: list[str] | None = None, exact_match: bool | None = True
) -> ValueCheck:
    """The table has these columns, in any order; unless matched exactly it may have others."""
    wanted, names = set(column_set or []), set(scope.types)
    lacking, extra = sorted(wanted - names), sorted(names - wanted)
    passed = not lacking and (not extra or not exact_match)
    said = []
    if lacking:
        said.append(f"lacking {', '.join(lacking)}")
    if extra and exact_match:
        said.append(f"unknown {', '.join(extra)}")
    found = Judged(passed=passed, observed="; ".join(said) or "these columns", value=sorted(names))
    return scope.table([], lambda: found, f"the columns {', '.join(sorted(wanted))}")


@entry
def column_to_exist(scope: Scope, *, column: str, column_index: float | None = None) -> ValueCheck:
    """There is such a column, at a place if one is given."""
    names = list(scope.types)
    passed = column in names
    if column_index:
        place = int(column_index)
        passed = -len(names) <= place < len(names) and names[place] == column
    found = Judged(passed=passed, observed="there" if passed else "not there")
    said = f"a column {column}" + (f" at {column_index:g}" if column_index else "")
    return scope.table([], lambda: found, said, [column])


@entry
def column_type_to_be(scope: Scope, *, column: str, type_: str) -> ValueCheck:
    """A column is of a type, by our name or another tool's."""
    return _typed(scope, column, [type_])


@entry
def column_values_to_be_of_type(scope: Scope, *, column: str, type_: str) -> ValueCheck:
    """A column's values are of a type, by our name or another tool's."""
    return _typed(scope, column, [type_])


@entry
def column_values_to_be_in_type_list(
    scope: Scope, *, column: str, type_list: list[str] | None = None
) -> ValueCheck:
    """A column's values are of one of some types."""
    return _typed(scope, column, type_list or [])


def type_named(name: str) -> DataType | None:
    """The type that a name of any tool means.

    >>> type_named("Int64"), type_named("datetime64[ns]"), type_named("VARCHAR(20)")
    (<DataType.INTEGER: 'integer'>, <DataType.DATETIME: 'datetime'>, <DataType.STRING: 'string'>)
    """
    lowered = name.lower()
    matches = [
        (len(start), type_)
        for type_, starts in _TYPE_NAMES.items()
        for start in starts
        if lowered.startswith(start)
    ]
    return max(matches)[1] if matches else None


def _typed(scope: Scope, column: str, names: list[str]) -> ValueCheck:
    found = scope.type_of(column)
    dtype = str(scope.dtypes[column])
    passed = not names or any(_is_of(found, dtype, name) for name in names)
    judged = Judged(passed=passed, observed=f"{found.value} ({dtype})", value=dtype)
    return scope.table([], lambda: judged, " or ".join(names) or "any type", [column])


def _is_of(found: DataType, dtype: str, name: str) -> bool:
    """By the width too, if the name has one: an int32 is no int64."""
    if type_named(name) is not found:
        return False
    width = "".join(c for c in name if c.isdigit())
    own = "".join(c for c in dtype if c.isdigit())
    is_sized = found.is_numeric and width in ("8", "16", "32", "64")
    return not is_sized or width == own


def _counting(scope: Scope, judge: Callable[..., Judged], said: str) -> ValueCheck:
    """A check of the number of rows."""
    import polars as pl

    where = scope.where
    if where is not None:
        return scope.table([where.sum()], judge, said)
    return replace(scope.table([pl.len()], judge, said), profiled=row_count)
