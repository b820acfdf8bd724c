"""Two versions of a dataset side by side: files, columns, rows, and how values are distributed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.port import BlobStore
from mainspring.datasets.comparable import Comparable, comparable
from mainspring.datasets.diff import diff
from mainspring.datasets.partitions import PART_BYTES
from mainspring.datasets.row_diff import PartDiff, row_diffs
from mainspring.datasets.tables import scan
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.schema import TableSchema
from mainspring.domain.table_diff import ChangedRow, RowDiff, Shift, TableDiff
from mainspring.kernel.errors import Invalid
from mainspring.quality.examples import masked, plain

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import ColumnProfile, Profile

_EXAMPLES = 5


def compare_versions(
    blobs: BlobStore,
    before: DatasetVersion,
    after: DatasetVersion,
    *,
    schema: TableSchema | None = None,
    key: tuple[str, ...] | None = None,
    examples: int = _EXAMPLES,
    with_rows: bool = True,
    part_bytes: int = PART_BYTES,
) -> TableDiff:
    """All that changed between two versions; what is not a table is compared file by file.

    Rows are matched by `key`, by the key that the `schema` declares, or as whole rows. Tables may be larger than
    memory. Profiles that are stored are not made again. Values of private columns are not shown. Raises
    `Invalid` for a key that can't be one, `Corrupt` for damaged bytes.
    """
    files = diff(blobs, before, after)
    if before.columns is None or after.columns is None:
        if key:
            raise Invalid(
                "files that are no table have no rows to match by key", code="not_a_table"
            )
        return TableDiff(files=files)
    private = frozenset(c.name for c in schema.columns if c.private) if schema else frozenset()
    profiles = (_profile(blobs, version, private) for version in (before, after))
    shifts = shifts_between(*profiles, private=private)
    if not with_rows:
        return TableDiff(files=files, shifts=shifts)
    tables = comparable(scan(blobs, before.manifest), scan(blobs, after.manifest))
    rows = summary(
        row_diffs(tables, key_for(tables, schema, key), part_bytes=part_bytes),
        tables,
        key=key_for(tables, schema, key),
        examples=examples,
        private=private,
    )
    return TableDiff(files=files, columns=tables.changes, rows=rows, shifts=shifts)


def key_for(
    tables: Comparable, schema: TableSchema | None, key: tuple[str, ...] | None
) -> tuple[str, ...]:
    """The key asked for; else the one that the schema declares, if both versions have it; else none."""
    if key is not None:
        return key
    declared = schema.key if schema else ()
    return declared if all(name in tables.common for name in declared) else ()


def shifts_between(
    before: "Profile", after: "Profile", *, private: frozenset[str] = frozenset()
) -> tuple[Shift, ...]:
    """How far each column that both have moved, the furthest first."""
    shifts = [
        _shift(old, new, has_means=new.type.is_numeric and new.name not in private)
        for old in before.columns
        if (new := after.column(old.name)) is not None and (old.row_count and new.row_count)
    ]
    return tuple(sorted(shifts, key=lambda s: (-(s.psi or 0.0), s.column)))


def summary(
    diffs: Iterable[PartDiff],
    tables: Comparable,
    *,
    key: tuple[str, ...],
    examples: int = _EXAMPLES,
    private: frozenset[str] = frozenset(),
) -> RowDiff:
    """Counts of all parts together, with a few rows of each kind: those with the least keys."""
    counted = _Counted(tables=tables, key=key, examples=examples, private=private)
    for part in diffs:
        counted.add(part)
    return counted.result()


@dataclass(slots=True, kw_only=True)
class _Counted:
    """Adds up parts, and keeps no more of their rows than will be shown."""

    tables: Comparable
    key: tuple[str, ...]
    examples: int
    private: frozenset[str]
    _sums: dict[str, int] = field(default_factory=dict)
    _columns: dict[str, int] = field(default_factory=dict)
    _kept: "dict[str, pl.DataFrame]" = field(default_factory=dict)

    def add(self, part: PartDiff) -> None:
        import polars as pl

        self._count("before", part.before_count)
        self._count("after", part.after_count)
        self._count("missing", part.missing_key_row_count)
        for name, frame in (
            ("added", part.added),
            ("removed", part.removed),
            ("repeated", part.repeated_keys),
        ):
            self._count(name, frame.height)
            self._keep(name, frame)
        self._count("changed", part.changed_after.height)
        was, now = part.changed_before, part.changed_after
        for column in self.tables.common:
            if count := int(was[column].ne_missing(now[column]).sum()):
                self._columns[column] = self._columns.get(column, 0) + count
        values = [name for name in self.tables.common if name not in self.key]
        pairs = [
            now.select(self.key),
            was.select(pl.struct(values).alias("#before")) if values else None,
            now.select(pl.struct(values).alias("#after")) if values else None,
        ]
        if values:
            self._keep("changed", pl.concat([p for p in pairs if p is not None], how="horizontal"))

    def result(self) -> RowDiff:
        columns = sorted(self._columns.items(), key=lambda pair: (-pair[1], pair[0]))
        return RowDiff(
            key=self.key,
            before_count=self._sums.get("before", 0),
            after_count=self._sums.get("after", 0),
            added_count=self._sums.get("added", 0),
            removed_count=self._sums.get("removed", 0),
            changed_count=self._sums.get("changed", 0),
            changed_columns=dict(columns),
            repeated_key_count=self._sums.get("repeated", 0),
            missing_key_row_count=self._sums.get("missing", 0),
            added=tuple(map(self._shown, self._rows("added"))),
            removed=tuple(map(self._shown, self._rows("removed"))),
            changed=tuple(map(self._pair, self._rows("changed"))),
            repeated_keys=tuple(map(self._shown, self._rows("repeated"))),
        )

    def _count(self, name: str, count: int) -> None:
        self._sums[name] = self._sums.get(name, 0) + count

    def _keep(self, name: str, frame: "pl.DataFrame") -> None:
        import polars as pl

        if name in self._kept:
            frame = pl.concat([self._kept[name], frame])
        order = [
            column
            for column in self.key or self.tables.common
            if column in frame.columns and not frame.schema[column].is_nested()
        ]
        if order and frame.height > 1:
            frame = frame.sort(order, nulls_last=True)
        self._kept[name] = frame.head(self.examples)

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        """`Any`: whatever a table holds."""
        frame = self._kept.get(name)
        return frame.iter_rows(named=True) if frame is not None else iter(())

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return masked({name: plain(value) for name, value in row.items()}, self.private)

    def _pair(self, row: dict[str, Any]) -> ChangedRow:
        was, now = row["#before"], row["#after"]
        differing = [name for name in now if not _is_same(was[name], now[name])]
        return ChangedRow(
            key=self._shown({name: row[name] for name in self.key}),
            before=self._shown({name: was[name] for name in differing}),
            after=self._shown({name: now[name] for name in differing}),
        )


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values of a table are the same; NaN is itself here. `Any`: whatever a table holds."""
    both_nan = isinstance(one, float) and isinstance(other, float) and isnan(one) and isnan(other)
    return both_nan or bool(one == other)


def _profile(blobs: BlobStore, version: DatasetVersion, private: frozenset[str]) -> "Profile":
    from mainspring.quality.measure import profile_table
    from mainspring.quality.profile import decode_profile

    if version.profile is not None:
        return decode_profile(blobs.read(version.profile))
    return profile_table(scan(blobs, version.manifest), private=private)


def _shift(old: "ColumnProfile", new: "ColumnProfile", *, has_means: bool) -> Shift:
    means = [
        c.moments.mean if has_means and c.moments and c.moments.count else None for c in (old, new)
    ]
    psi, divergence, chance = _distances(old, new)
    return Shift(
        column=new.name,
        psi=psi,
        jensen_shannon=divergence,
        missing_before=old.missing_share,
        missing_after=new.missing_share,
        mean_before=means[0],
        mean_after=means[1],
        chance=chance,
    )


def _distances(
    old: "ColumnProfile", new: "ColumnProfile"
) -> tuple[float | None, float | None, float]:
    """PSI, Jensen-Shannon divergence, and the PSI that chance gives (Yurdakul 2018)."""
    from mainspring.quality.distances import binned, distribution_distance

    if old.type is not new.type and not (old.type.is_numeric and new.type.is_numeric):
        return None, None, 0.0
    try:
        p, q = binned(old, new)
    except Invalid as error:
        if error.code == "not_comparable":
            return None, None, 0.0
        raise
    if not p.sum() or not q.sum():
        return None, None, 0.0
    divergence = distribution_distance(old, new, "jensen_shannon")
    # The smoothing of PSI, made for counts of very different size, shows where there are few rows.
    psi = distribution_distance(old, new, "psi") if divergence > 0 else 0.0
    filled = int(((p + q) > 0).sum())
    return psi, divergence, (filled - 1) * (1 / float(p.sum()) + 1 / float(q.sum()))


def write_diff(
    blobs: BlobStore,
    before: DatasetVersion,
    after: DatasetVersion,
    folder: Path,
    *,
    schema: TableSchema | None = None,
    key: tuple[str, ...] | None = None,
    part_bytes: int = PART_BYTES,
) -> None:
    """Write all rows that differ to a new folder, from which `apply_changes` makes the one version of the other.

    Values of private columns are among them. Raises as `write_changes` and `scan` do.
    """
    from mainspring.datasets.changes import write_changes

    old, new = scan(blobs, before.manifest), scan(blobs, after.manifest)
    found = key_for(comparable(old, new), schema, key)
    write_changes(old, new, found, folder, part_bytes=part_bytes)
