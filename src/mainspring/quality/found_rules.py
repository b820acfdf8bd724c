"""Rules across columns that hold in every row of a table, and that chance does not explain."""

from itertools import combinations
from typing import TYPE_CHECKING

from mainspring.datasets.tables import collected
from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import Expectation
from mainspring.quality.profile import ColumnProfile, Profile

if TYPE_CHECKING:
    import polars as pl

_ENOUGH_ROWS = 100
_SAMPLE = 2000
_MOST_COLUMNS = 20
_MOST_RULES = 12
_BY_CHANCE = 0.9
_COLLISIONS = 20


def found_key(profile: Profile, table: "pl.LazyFrame") -> tuple[str, ...]:
    """Two columns that together name every row, though chance would have made some rows alike."""
    import polars as pl

    rows = profile.row_count
    if rows < _ENOUGH_ROWS:
        return ()
    usable = [c for c in profile.columns if _may_be_in_key(c)][:_MOST_COLUMNS]
    likely: list[tuple[str, str]] = []
    for one, other in combinations(usable, 2):
        room = (one.distinct_count or 0) * (other.distinct_count or 0)
        # Of values that were drawn at random, so many pairs of rows would be alike (the birthday problem).
        if room >= rows and rows * rows / (2 * room) >= _COLLISIONS:
            likely.append((one.name, other.name))
    if not likely:
        return ()
    asked = [pl.struct(pair).n_unique().alias(str(i)) for i, pair in enumerate(likely[:30])]
    first = collected(table.head(20_000).select(pl.len().alias("#"), *asked)).row(0)
    alive = [pair for pair, count in zip(likely, first[1:], strict=False) if count == first[0]]
    for pair in alive:
        if collected(table.select(pl.struct(pair).n_unique())).item() == rows:
            return pair
    return ()


def found_rules(profile: Profile, table: "pl.LazyFrame") -> tuple[Expectation, ...]:
    """Orders of two columns and sums of two that make a third, as warnings for people to judge."""
    if profile.row_count < _ENOUGH_ROWS:
        return ()
    sample = table.head(20_000).collect().sample(fraction=1.0, seed=0, shuffle=True).head(_SAMPLE)
    rules = [*_sums(profile, sample), *_orders(profile, sample)]
    return _confirmed(rules, table)[:_MOST_RULES]


def _may_be_in_key(column: ColumnProfile) -> bool:
    types = (DataType.INTEGER, DataType.STRING, DataType.DATE, DataType.DATETIME)
    return column.type in types and not column.missing_share and (column.distinct_count or 0) > 1


def _varying(profile: Profile, sample: "pl.DataFrame") -> list[str]:
    return [
        column.name
        for column in profile.columns
        if column.type.is_numeric
        and column.minimum != column.maximum
        and not column.infinite_count
        and sample.get_column(column.name).count() >= _ENOUGH_ROWS
    ][:_MOST_COLUMNS]


def _sums(profile: Profile, sample: "pl.DataFrame") -> list[Expectation]:
    import polars as pl

    values = {name: sample.get_column(name).cast(pl.Float64) for name in _varying(profile, sample)}
    found = []
    for one, other in combinations(values, 2):
        total = values[one] + values[other]
        for whole, value in values.items():
            if whole in (one, other):
                continue
            apart = (total - value).abs() > 1e-9 * (1 + value.abs())
            if not apart.any() and total.drop_nulls().n_unique() > 20:
                condition = f'abs("{one}" + "{other}" - "{whole}") <= 1e-6 * (1 + abs("{whole}"))'
                found.append(
                    Expectation(
                        that="rows_to_satisfy",
                        arguments={"condition": condition},
                        severity=Severity.WARN,
                        name=f"{one} + {other} = {whole}",
                    )
                )
    return found


def _orders(profile: Profile, sample: "pl.DataFrame") -> list[Expectation]:

    numbers = _varying(profile, sample)
    times = [c.name for c in profile.columns if c.type is DataType.DATETIME and not c.missing_share]
    shuffled = sample.sample(fraction=1.0, seed=1, shuffle=True)
    found = []
    for group in (numbers, times):
        for one, other in combinations(group, 2):
            for high, low in ((one, other), (other, one)):
                a, b = sample.get_column(high), sample.get_column(low)
                if a.dtype.is_temporal() and a.dtype != b.dtype:
                    continue
                if (a < b).any() or not (a > b).any():
                    continue
                # With rows mixed it would hold as well, if one column simply has larger numbers.
                if (shuffled.get_column(high) >= b).mean() < _BY_CHANCE:  # type: ignore[operator] # a share
                    found.append(
                        Expectation(
                            that="column_pair_values_a_to_be_greater_than_b",
                            arguments={
                                "column_A": high,
                                "column_B": low,
                                "or_equal": True,
                                "ignore_row_if": "either_value_is_missing",
                            },
                            severity=Severity.WARN,
                            name=f"{high} at least {low}",
                        )
                    )
    return found


def _confirmed(rules: list[Expectation], table: "pl.LazyFrame") -> tuple[Expectation, ...]:
    """Those that hold in the whole table."""
    from mainspring.datasets.tables import columns_of
    from mainspring.quality.catalogue.entries import compile_expectation
    from mainspring.quality.catalogue.scope import Surroundings
    from mainspring.quality.compiled import RowCheck

    dtypes = table.collect_schema()
    types = {column.name: column.type for column in columns_of(dtypes)}
    checks = [compile_expectation(rule, types, dtypes, Surroundings()) for rule in rules]
    asked = {i: c.violations for i, c in enumerate(checks) if isinstance(c, RowCheck)}
    if not asked:
        return ()
    counts = collected(table.select([v.sum().alias(str(i)) for i, v in asked.items()])).row(0)
    return tuple(rules[i] for i, count in zip(asked, counts, strict=True) if not count)
