"""A file five times larger than all the memory that a process may address is profiled all the same."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

MEGABYTES = 950

CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
from mainspring.quality.measure import profile_table
from mainspring.quality.sources import open_table
profile = profile_table(open_table(sys.argv[1]), workers=1)
print(profile.row_count, profile.columns[0].distinct_count, profile.columns[0].null_count)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_file_five_times_larger_than_the_memory_limit_is_profiled(tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    rows = 131_072
    chunk = pl.select(
        pl.when(pl.int_range(rows) % 8 == 0)
        .then(None)
        .otherwise(pl.int_range(rows) % 1000)
        .alias("code"),
        *((pl.int_range(rows) * k % 10_007).cast(pl.Float64).alias(f"x{k}") for k in range(1, 8)),
    )
    number = 5 * MEGABYTES * 1_048_576 // (rows * 8 * 7) + 1
    pl.concat([chunk.lazy()] * number).sink_parquet(
        path, compression="uncompressed", row_group_size=rows, statistics=False
    )
    assert path.stat().st_size > 5 * MEGABYTES * 1_048_576

    done = subprocess.run(
        [
            "sh",
            "-c",
            'ulimit -s 2048; exec "$@"',
            "sh",
            sys.executable,
            "-c",
            CHILD,
            str(path),
            str(MEGABYTES),
        ],
        env={
            **os.environ,
            # Address space, not memory: each thread, its stack, each arena and what is read ahead reserves
            # some of it.
            "POLARS_MAX_THREADS": "1",
            "POLARS_ROW_GROUP_PREFETCH_SIZE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    path.unlink()
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.split() == [str(rows * number), "875", str(rows * number // 8)]
