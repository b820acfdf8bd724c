"""Proposing a schema for a table, from what is in it, for people to edit.

A proposal holds for the data it was made from. Beyond that it leaves room: ranges are wider than what was
seen, rare gaps are allowed for, and a list of values is closed only if new ones are unlikely.
"""

import math
import re
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from mainspring.datasets.tables import collected
from mainspring.domain.check import Scalar
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, TableSchema
from mainspring.quality.examples import shown
from mainspring.quality.expectations import out_of_order, repeats, value_of
from mainspring.quality.found_rules import found_key, found_rules
from mainspring.quality.guesses import guess
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import ColumnProfile, Profile
from mainspring.quality.schema_text import schema_text

if TYPE_CHECKING:
    import polars as pl

# From fewer rows than this nothing but types and presence is proposed.
_ENOUGH_ROWS = 20
_MOST_CATEGORIES = 50
_MOST_CODES = 12
_UNSEEN_SHARE = 0.005
# A new value now and then is the world moving on; a flood of them is a swapped column or a broken encoding.
_UNSEEN_ALLOWED = 0.01
# The same for numbers: single wild ones are for people to look at, many of them are another unit.
_OUTSIDE_ALLOWED = 0.005
_ROOM = 0.25
_TEMPORAL = (DataType.DATE, DataType.DATETIME)


def infer_schema(
    dataset: str,
    table: "pl.DataFrame | pl.LazyFrame",
    *,
    profile: Profile | None = None,
    labels: Collection[str] = (),
) -> TableSchema:
    """A schema that the table passes, with room for what was not seen yet.

    `profile`, if the table's is at hand, saves making it again. Columns among `labels` are asked for in
    training only.
    """
    profile = profile or profile_table(table)
    exact = _exact(profile, table.lazy())
    columns = tuple(
        _column(column, exact.get(column.name, frozenset())) for column in profile.columns
    )
    return TableSchema(
        dataset=dataset,
        columns=tuple(
            replace(c, environments=("training",)) if c.name in labels else c for c in columns
        ),
        min_row_count=1 if profile.row_count else 0,
        key=() if any(c.unique for c in columns) else found_key(profile, table.lazy()),
        expectations=found_rules(profile, table.lazy()),
    )


def schema_of_profile(dataset: str, profile: Profile) -> TableSchema:
    """A schema from a profile alone, where there is no table to look at: no keys, orders or rules across columns."""
    return TableSchema(
        dataset=dataset,
        columns=tuple(_column(column, frozenset()) for column in profile.columns),
        min_row_count=1 if profile.row_count else 0,
    )


def infer_toml(
    dataset: str,
    table: "pl.DataFrame | pl.LazyFrame",
    *,
    profile: Profile | None = None,
    labels: Collection[str] = (),
) -> str:
    """The text of a schema file for a table, with what was seen as comments."""
    profile = profile or profile_table(table)
    return schema_text(
        infer_schema(dataset, table, profile=profile, labels=labels),
        evidence={column.name: describe(column) for column in profile.columns},
    )


def describe(column: ColumnProfile) -> str:
    """One line for people on what was seen in a column."""
    parts = [f"seen in {column.row_count:,} rows"]
    missing = column.null_count + column.nan_count
    parts.append(f"{missing:,} missing" if missing else "none missing")
    if column.minimum is not None and column.maximum is not None:
        low, high = _shown(column.minimum, column.type), _shown(column.maximum, column.type)
        parts.append(f"{low} to {high}")
    if column.quantiles is not None and column.quantiles.count and column.type.is_numeric:
        parts.append(f"half of them up to {shown(column.quantiles.quantile(0.5))}")
    if column.distinct_count is not None and column.distinct is not None:
        about = "" if column.distinct.is_exact else "about "
        plural = "" if column.distinct_count == 1 else "s"
        parts.append(f"{about}{column.distinct_count:,} different value{plural}")
    guessed = guess(column)
    if guessed.unit:
        parts.append(f"unit guessed from the name: {guessed.unit}")
    if guessed.meaning:
        parts.append(f"they look like {guessed.meaning}")
    return "; ".join(parts)


def _column(seen: ColumnProfile, exact: frozenset[str]) -> ColumnSchema:
    is_ordered = "increasing" in exact
    is_id = "unique" in exact and (seen.type is not DataType.INTEGER or _is_dense(seen))
    # Numbers in order (months, numbered units, clocks) move on; what is next is not among those seen.
    moves_on = is_id or is_ordered
    categories = None if moves_on else _categories(seen)
    minimum, maximum = (None, None) if moves_on or categories else _range(seen)
    guessed = guess(seen)
    pattern = next((item.removeprefix("pattern:") for item in exact if ":" in item), None)
    return ColumnSchema(
        name=seen.name,
        type=seen.type,
        max_null_share=_null_share(seen),
        minimum=minimum,
        maximum=maximum,
        max_outside_share=_OUTSIDE_ALLOWED if (minimum, maximum) != (None, None) else 0.0,
        categories=categories,
        max_unseen_share=_UNSEEN_ALLOWED if categories else 0.0,
        pattern=None if categories else pattern,
        unique=is_id,
        increasing=is_ordered and (is_id or seen.type in _TEMPORAL),
        unit=guessed.unit,
        private=guessed.is_private,
    )


def _null_share(seen: ColumnProfile) -> float:
    share = seen.missing_share
    if not share:
        return 0.0
    # Half as much again and a hundredth, in steps that read well.
    return min(1.0, math.ceil((1.5 * share + 0.01) * 200) / 200)


def _categories(seen: ColumnProfile) -> tuple[Scalar, ...] | None:
    """The values seen, if they look like all there are."""
    frequent, count = seen.frequent, seen.row_count - seen.null_count
    if (
        frequent is None
        or not frequent.is_exact
        or seen.type not in (DataType.STRING, DataType.INTEGER)
        or count < _ENOUGH_ROWS
        or not _are_codes(seen, len(frequent.counts), count)
    ):
        return None
    # Good and Turing: the next value is new with about the share of values seen only once.
    once = sum(1 for number in frequent.counts.values() if number == 1)
    if once / count > _UNSEEN_SHARE:
        return None
    if any(isinstance(value, str) and len(value) >= 200 for value in frequent.counts):
        return None
    return tuple(sorted(frequent.counts, key=lambda v: (isinstance(v, str), v)))


def _are_codes(seen: ColumnProfile, number: int, count: int) -> bool:
    if seen.type is DataType.STRING:
        return 0 < number <= _MOST_CATEGORIES and count >= 5 * number
    # Few small numbers close together are codes; one alone is just constant so far.
    least, most = int(seen.minimum or 0), int(seen.maximum or 0)
    return (
        2 <= number <= _MOST_CODES
        and most - least < 2 * number
        and least >= -1
        and most < 100
        and count >= 10 * number
    )


def _range(seen: ColumnProfile) -> tuple[float | None, float | None]:
    """Bounds around the numbers seen: a quarter of their span beyond, twice the maximum if skewed."""
    if (
        not seen.type.is_numeric
        or seen.quantiles is None
        or seen.quantiles.count < _ENOUGH_ROWS
        or seen.infinite_count
        or seen.minimum is None
        or seen.maximum is None
    ):
        return None, None
    least, most = float(seen.minimum), float(seen.maximum)
    span = most - least
    if not span or not math.isfinite(2 * span):
        return None, None
    room = span * (_ROOM + 5 / seen.quantiles.count)
    low, high = least - room, most + room
    middle = seen.quantiles.quantile(0.5)
    # Counts and amounts grow by factors: a tail thrice as long as the rest promises a longer one.
    is_amount = least >= 0 and most - middle > 3 * (middle - least)
    if is_amount:
        high = max(high, 2 * most)
    if is_amount or least == 0 or (least > 0 and seen.type is DataType.INTEGER):
        low = max(0.0, low)
    if most == 0:
        high = 0.0
    return _rounded(low, high, seen)


def _rounded(low: float, high: float, seen: ColumnProfile) -> tuple[float | None, float | None]:
    """Outwards, to two digits of the span; never inside what was seen."""
    digits = 1 - math.floor(math.log10(high - low))
    if seen.type is DataType.INTEGER:
        digits = min(digits, 0)
    if abs(digits) > 300:
        return None, None
    step = 10.0**-digits
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    if digits > 0:
        low, high = round(low, digits), round(high, digits)
    return min(low, float(seen.minimum or 0)), max(high, float(seen.maximum or 0))


def _is_dense(seen: ColumnProfile) -> bool:
    """Whether whole numbers are numbered rows rather than amounts that happen to differ."""
    span = int(seen.maximum or 0) - int(seen.minimum or 0)
    return seen.row_count >= _ENOUGH_ROWS and span <= 10 * seen.row_count


def _exact(profile: Profile, table: "pl.LazyFrame") -> dict[str, frozenset[str]]:
    """What holds in every row and can't be told from a profile: unique, increasing, one form of text."""
    queries: dict[tuple[str, str], pl.Expr] = {}
    for column in profile.columns:
        if column.row_count < _ENOUGH_ROWS:
            continue
        value = value_of(column.name, column.type)
        if _may_be_unique(column):
            queries[column.name, "unique"] = (~repeats(value)).all()
        if column.type in _TEMPORAL or (column.type.is_numeric and _varies(column)):
            queries[column.name, "increasing"] = (~out_of_order(value)).all()
        if column.type is DataType.STRING and not _categories(column):
            queries[column.name, "form"] = _form(value)
    # Most texts differ in form within a few rows, and forms of all rows are slow to make.
    first = _answers({key: q for key, q in queries.items() if key[1] == "form"}, table.head(1000))
    queries = {key: q for key, q in queries.items() if key[1] != "form" or first[key] is not None}
    found: dict[str, set[str]] = {}
    for (name, kind), answer in _answers(queries, table).items():
        facts = found.setdefault(name, set())
        if kind == "form" and isinstance(answer, str) and (pattern := _pattern_of(answer)):
            facts.add(f"pattern:{pattern}")
        elif answer is True:
            facts.add(kind)
    return {name: _credible(profile, name, facts) for name, facts in found.items()}


def _answers(
    queries: "dict[tuple[str, str], pl.Expr]", table: "pl.LazyFrame"
) -> dict[tuple[str, str], object]:
    if not queries:
        return {}
    named = [query.alias(str(number)) for number, query in enumerate(queries.values())]
    return dict(zip(queries, collected(table.select(named)).row(0), strict=True))


def _credible(profile: Profile, name: str, facts: set[str]) -> frozenset[str]:
    """Without a uniqueness that is chance: texts of many forms may all differ and yet be no ids."""
    column = profile.column(name)
    is_text = column is not None and column.type is DataType.STRING
    if is_text and not any(fact.startswith("pattern:") for fact in facts):
        facts = facts - {"unique"}
    return frozenset(facts)


def _form(value: "pl.Expr") -> "pl.Expr":
    """The form that all texts share, with 0 for each digit; null if there are several."""
    import polars as pl

    forms = value.str.replace_all("[0-9]", "0").drop_nulls()
    return pl.when(forms.n_unique() == 1).then(forms.first())


def _pattern_of(form: str) -> str | None:
    """The expression for a form with digits in it.

    >>> _pattern_of("0000-00-00")
    '[0-9]{4}-[0-9]{2}-[0-9]{2}'
    """
    if "0" not in form or len(form) > 60:
        return None
    parts = re.findall(r"0+|[^0]+", form)
    return "".join(f"[0-9]{{{len(part)}}}" if part[0] == "0" else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    """Only what has a meaning, so that the pattern stays readable."""
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def _may_be_unique(column: ColumnProfile) -> bool:
    if column.type not in (DataType.INTEGER, DataType.STRING) or column.missing_share:
        return False
    distinct = column.distinct_count or 0
    return distinct >= 0.85 * column.row_count


def _varies(column: ColumnProfile) -> bool:
    return column.minimum != column.maximum


def _shown(number: float, type_: DataType) -> str:
    if type_ is DataType.DATE:
        return (date(1970, 1, 1) + timedelta(days=int(number))).isoformat()
    if type_ is DataType.DATETIME:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
        return instant.strftime("%Y-%m-%d %H:%M:%S")
    return shown(number)
