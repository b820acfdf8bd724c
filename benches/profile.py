"""Profile of a million rows by twenty columns of Parquet, against DuckDB's SUMMARIZE of the same file.

Each runs in a process of its own; CPU seconds count all its threads and leave out the imports. What they
tell is alike: counts, nulls, extremes, mean, deviation, quartiles, distinct values. Ours can be merged with
other rows' and holds categories with their counts, too.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROWS = 1_000_000
REPEATS = 3


def main() -> None:
    """Print CPU seconds, peak memory and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        columns = write_table(path, ROWS)
        size = path.stat().st_size / 1e6
        print(f"{ROWS:,} rows x {columns} columns, {size:.0f} MB of Parquet; best of {REPEATS}")
        ours = [measured("mainspring", path) for _ in range(REPEATS)]
        theirs = [measured("duckdb", path) for _ in range(REPEATS)]
    best_ours = min(run["cpu"] for run in ours)
    best_theirs = min(run["cpu"] for run in theirs)
    for name, runs in (("mainspring profile", ours), ("duckdb SUMMARIZE", theirs)):
        best = min(runs, key=lambda run: run["cpu"])
        print(
            f"  {name:20} {best['cpu']:5.2f} CPU s  {best['wall']:5.2f} s  {best['rss']:4.0f} MB peak"
        )
    print(f"  ratio {best_ours / best_theirs:.2f}x of DuckDB's CPU seconds")


def write_table(path: Path, rows: int) -> int:
    """A table of numbers, codes, names, ids, flags and times with some gaps; returns its columns' count."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    columns: dict[str, object] = {f"normal{k}": rng.normal(k, 1 + k, rows) for k in range(8)}
    columns |= {f"amount{k}": rng.lognormal(0, 1, rows) for k in range(2)}
    columns |= {f"code{k}": rng.integers(0, 10 ** (k + 1), rows) for k in range(3)}
    columns["id"] = np.arange(rows)
    for k in range(3):
        columns[f"name{k}"] = rng.choice([f"name {j:03d}" for j in range(4 * 8**k)], rows)
    columns["user"] = [f"user{n:07d}" for n in rng.integers(0, 200_000, rows)]
    columns["flag"] = rng.random(rows) < 0.1
    start = pl.datetime(2020, 1, 1)
    end = start + pl.duration(minutes=rows - 1)
    frame = pl.DataFrame(columns).with_columns(
        pl.datetime_range(start, end, "1m", eager=True).alias("at")
    )
    for name, share in (("normal0", 0.05), ("normal1", 0.3), ("name0", 0.02)):
        frame = frame.with_columns(
            pl.when(pl.Series(rng.random(rows) >= share)).then(pl.col(name)).alias(name)
        )
    frame.write_parquet(path, row_group_size=131_072)
    return frame.width


def measured(name: str, path: Path) -> dict[str, float]:
    """CPU seconds, seconds and peak memory (MB) of one run in a fresh process."""
    command = [sys.executable, "-m", "benches.profile", name, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def profile_with_mainspring(path: Path) -> None:
    """Ours: from the file to the bytes that are stored."""
    import polars as pl

    from mainspring.quality.measure import profile_table
    from mainspring.quality.profile import encode_profile

    encode_profile(profile_table(pl.scan_parquet(path)))


def summarize_with_duckdb(path: Path) -> None:
    """The peer's."""
    import duckdb

    duckdb.connect().execute(f"SUMMARIZE SELECT * FROM '{path}'").fetchall()


WORK: dict[str, tuple[str, Callable[[Path], None]]] = {
    "mainspring": ("mainspring.quality.measure", profile_with_mainspring),
    "duckdb": ("duckdb", summarize_with_duckdb),
}


def _run(name: str, path: Path) -> None:
    module, work = WORK[name]
    importlib.import_module(module)
    if name == "mainspring":
        importlib.import_module("polars")
    cpu, wall = time.process_time(), time.perf_counter()
    work(path)
    result = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "rss": _peak_megabytes(),
    }
    print(json.dumps(result))


def _peak_megabytes() -> float:
    """Of this program alone; `getrusage` would count what its parent had before it was started."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _run(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
