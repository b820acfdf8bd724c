"""Making two tables comparable: which columns both have, and the type in which their values are compared."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.domain.table_diff import ColumnChange
from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparable:
    """Two tables whose `common` columns have the same types; what only one has is kept as it is.

    `changes` says how their columns differ, in the order of the tables.
    """

    before: "pl.LazyFrame"
    after: "pl.LazyFrame"
    common: tuple[str, ...]
    changes: tuple[ColumnChange, ...]


def comparable(before: "pl.LazyFrame", after: "pl.LazyFrame") -> Comparable:
    """Cast what both tables have to types in which it can be compared."""
    old, new = before.collect_schema(), after.collect_schema()
    changes, common, casts = [], [], {}
    for name, dtype in old.items():
        if name not in new:
            changes.append(ColumnChange(column=name, before=str(dtype), after=None))
            continue
        shared = common_type(dtype, new[name])
        if dtype != new[name]:
            changes.append(
                ColumnChange(
                    column=name,
                    before=str(dtype),
                    after=str(new[name]),
                    is_compared=shared is not None,
                )
            )
        if shared is not None:
            common.append(name)
            casts[name] = shared
    changes += [
        ColumnChange(column=name, before=None, after=str(dtype))
        for name, dtype in new.items()
        if name not in old
    ]
    return Comparable(
        before=_cast(before, old, casts),
        after=_cast(after, new, casts),
        common=tuple(common),
        changes=tuple(changes),
    )


def check_key(key: tuple[str, ...], tables: Comparable) -> None:
    """Raise `Invalid` for a key that is no column of both tables, or that has no order."""
    for name in key:
        if name not in tables.common:
            having = {change.column: change for change in tables.changes}.get(name)
            told = "is in neither version"
            if having is not None:
                told = f"is {having.before or 'absent'} before and {having.after or 'absent'} after"
            raise Invalid(
                f"the key column {name!r} {told}",
                code="bad_key",
                hint=f"Columns of both: {', '.join(tables.common) or 'none'}.",
            )
        if tables.before.collect_schema()[name].is_nested():
            raise Invalid(
                f"the key column {name!r} holds lists or structs, which can't be a key",
                code="bad_key",
                hint="Take columns of single values.",
            )


def common_type(one: "pl.DataType", other: "pl.DataType") -> "pl.DataType | None":
    """The type in which values of two types can be compared without loss, or None.

    >>> import polars as pl
    >>> common_type(pl.Int32(), pl.Int64()), common_type(pl.Int64(), pl.String()), common_type(pl.Boolean(), pl.Date())
    (Int64, String, None)
    """
    import polars as pl

    text = (pl.String, pl.Categorical, pl.Enum)
    if one in text and other in text:
        return pl.String()
    if one == other:
        return one
    if one.is_numeric() and other.is_numeric():
        return _common_number(one, other)
    if isinstance(one, pl.Datetime) and isinstance(other, pl.Datetime):
        if (one.time_zone is None) != (other.time_zone is None):
            return None
        unit = "ns" if "ns" in (one.time_unit, other.time_unit) else "us"
        return pl.Datetime(unit, "UTC" if one.time_zone else None)  # type: ignore[arg-type]  # one of its literals
    if (one in text or other in text) and not one.is_nested() and not other.is_nested():
        return None if pl.Binary in (one, other) or pl.Object in (one, other) else pl.String()
    return None


def _common_number(one: Any, other: Any) -> "pl.DataType":
    """`Any`: only some types have a scale."""
    import polars as pl

    if one.is_integer() and other.is_integer():
        wide = (pl.UInt64, pl.UInt128, pl.Int128)
        return pl.Int128() if one in wide or other in wide else pl.Int64()
    if one.is_decimal() and other.is_decimal():
        return pl.Decimal(38, max(one.scale, other.scale))
    if any(each.is_decimal() for each in (one, other)) and any(
        each.is_integer() for each in (one, other)
    ):
        return pl.Decimal(38, one.scale if one.is_decimal() else other.scale)
    return pl.Float64()


def _cast(
    table: "pl.LazyFrame", schema: "pl.Schema", casts: "dict[str, pl.DataType]"
) -> "pl.LazyFrame":
    import polars as pl

    needed = [pl.col(name).cast(dtype) for name, dtype in casts.items() if schema[name] != dtype]
    return table.with_columns(needed) if needed else table
