"""Joining 5 million rows to the newest earlier one of 5 million by key, against DuckDB's ASOF join of the same files.

Each runs in a process of its own and writes Parquet. Ours keeps the order of the left side and stays in bounded
memory; DuckDB's has no order.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 5_000_000
KEYS = 100_000


def main() -> None:
    """Print wall and CPU seconds, peak memory and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder))
        runs = {who: measured(who, folder) for who in ("mainspring", "duckdb")}
    print(f"2 x {ROWS:,} rows, {KEYS:,} keys")
    for who, run in runs.items():
        print(
            f"  {who:12} {run['wall']:5.1f} s  {run['cpu']:5.1f} CPU s  {run['rss']:5.0f} MB peak  "
            f"{run['matched']:,} matched"
        )
    ours, theirs = runs["mainspring"], runs["duckdb"]
    print(
        f"  ratio {ours['cpu'] / theirs['cpu']:.2f}x of DuckDB's CPU seconds, "
        f"{ours['rss'] / theirs['rss']:.2f}x of its memory"
    )


def write_tables(folder: Path) -> None:
    """Labels and features with keys and times at random."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    for name in ("label", "feature"):
        pl.DataFrame(
            {
                "key": rng.integers(0, KEYS, ROWS),
                "at": pl.Series(rng.integers(0, 10**15, ROWS)).cast(pl.Datetime("us")),
                name: rng.normal(size=ROWS),
                f"{name}_code": pl.Series(rng.integers(0, 1000, ROWS)).cast(pl.String),
            }
        ).write_parquet(folder / f"{name}.parquet", row_group_size=131_072)


def measured(who: str, folder: str) -> "dict[str, float]":
    """Run one of them in a process of its own."""
    command = [sys.executable, "-m", "benches.join_in_time", who, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def join(who: str, folder: Path) -> Path:
    """Write the joined table."""
    target = folder / f"{who}.parquet"
    left, right = folder / "label.parquet", folder / "feature.parquet"
    if who == "duckdb":
        import duckdb

        duckdb.connect().execute(
            f"copy (select l.*, r.at as known_at, r.feature, r.feature_code from '{left}' l asof left join "
            f"'{right}' r on l.key = r.key and l.at >= r.at) to '{target}'"
        )
        return target
    import polars as pl

    from mainspring.datasets.join_in_time import TimedJoin, write_joined

    how = TimedJoin(by=("key",), left_time="at", right_time="at")
    write_joined(pl.scan_parquet(left), pl.scan_parquet(right), how, target)
    return target


def report(who: str, folder: str) -> None:
    """Print what one join cost, as JSON."""
    import polars as pl

    began, cpu = time.perf_counter(), time.process_time()
    target = join(who, Path(folder))
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    matched = pl.scan_parquet(target).select(pl.col("feature").count()).collect().item()
    print(json.dumps({"wall": wall, "cpu": used, "rss": peak, "matched": matched}))


if __name__ == "__main__":
    report(*sys.argv[1:])
