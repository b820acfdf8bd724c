"""Splitting tables that are larger than memory into parts that belong together.

Rows with equal keys land in the same part, whichever table they are of, so that what joins tables can work part
by part. Parts lie in a temporary folder that goes with the block; small tables stay in memory as one part.
"""

import errno
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.datasets.tables import collected, reading_clearly
from mainspring.kernel.errors import Unavailable

if TYPE_CHECKING:
    import polars as pl

PART_BYTES = 64 << 20
"""About how large one table's part becomes in memory."""

_MOST_PARTS = 1024
_MANY_PARTS = 128
_SAMPLE_ROWS = 2_000
_SEED = 20_260_131


def parts_of(
    tables: "Sequence[pl.LazyFrame]",
    keys: "Sequence[Sequence[pl.Expr]]",
    *,
    part_bytes: int = PART_BYTES,
) -> "Iterator[tuple[pl.DataFrame, ...]]":
    """The tables part by part; the keys of each table have the same types as those of the others.

    Raises `Unavailable` if the disk for temporary files is full, `Invalid` if a table can't be read.
    """
    import polars as pl

    count = min(_MOST_PARTS, 1 + max(size_in_memory(table) for table in tables) // part_bytes)
    if count == 1:
        yield tuple(collected(table) for table in tables)
        return
    with tempfile.TemporaryDirectory(prefix="mainspring-parts-") as name:
        folders = [Path(name, str(number)) for number in range(len(tables))]
        for table, key, folder in zip(tables, keys, folders, strict=True):
            _spill(table, pl.struct(key).hash(_SEED) % count, folder, count)
        empty = [table.clear().collect() for table in tables]
        for number in range(count):
            yield tuple(
                _part(folder, number, nothing)
                for folder, nothing in zip(folders, empty, strict=True)
            )


def ranges_of(table: "pl.LazyFrame", number: str, size: int) -> "Iterator[pl.DataFrame]":
    """The rows of a table whose column `number` counts from 0 on, in that order, `size` rows at a time."""
    import polars as pl

    rows = int(collected(table.select(pl.len())).item())
    count = -(-rows // size)
    with tempfile.TemporaryDirectory(prefix="mainspring-parts-") as name:
        folder = Path(name, "0")
        _spill(table, pl.col(number) // size, folder, count)
        nothing = table.clear().collect()
        for place in range(count):
            yield _part(folder, place, nothing).sort(number)


def size_in_memory(table: "pl.LazyFrame") -> int:
    """About how many bytes a table would take in memory, from its first rows and the number of all."""
    import polars as pl

    first = collected(table.head(_SAMPLE_ROWS))
    if first.height < _SAMPLE_ROWS:
        return int(first.estimated_size())
    rows = int(collected(table.select(pl.len())).item())
    return int(first.estimated_size()) * rows // first.height


def _spill(table: "pl.LazyFrame", number: "pl.Expr", folder: Path, count: int) -> None:
    """Write each row to the file of the part that `number` says."""
    import polars as pl

    target = pl.PartitionBy(
        folder,
        key=number.alias("#part"),
        include_key=False,
        file_path_provider=lambda given: (
            f"{given.partition_keys.item()}-{given.index_in_partition}.arrow"
        ),
    )
    with reading_clearly(), writing_clearly(tempfile.gettempdir()):
        # Time is dearer than disk until there is much of it.
        table.sink_ipc(
            target, compression="lz4" if count > _MANY_PARTS else "uncompressed", mkdir=True
        )


@contextmanager
def writing_clearly(where: Path | str) -> Iterator[None]:
    """Turn a full disk, and folders that can't be written, into `Unavailable`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise Unavailable(
                f"the disk that holds {where} is full",
                code="disk_full",
                hint="Free some space; TMPDIR says where temporary files go.",
            ) from error
        raise Unavailable(f"{where} can't be written: {error}", code="unwritable") from error


def _part(folder: Path, number: int, nothing: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    paths = sorted(folder.glob(f"{number}-*.arrow"))
    return pl.concat([nothing, *(pl.read_ipc(path) for path in paths)])
