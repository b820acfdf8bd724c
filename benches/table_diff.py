"""Comparing two versions of 5 million rows by key, against one full join of both in DuckDB.

Each runs in a process of its own. Rows are shuffled, 1 % of them are gone, 1.4 % new, 1 % changed. What both tell
is alike: rows added, removed and changed; ours also keeps the first of each kind and looks for repeated keys.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 5_000_000


def main() -> None:
    """Print wall and CPU seconds, peak memory and ratios, by key and as whole rows."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.parquet"), Path(folder, "after.parquet")
        write_tables(before, after)
        size = (before.stat().st_size + after.stat().st_size) / 1e6
        print(f"2 x {ROWS:,} rows x 8 columns, {size:.0f} MB of Parquet")
        runs = {
            what: measured(what, before, after)
            for what in ("mainspring by key", "duckdb by key", "mainspring as whole rows")
        }
    for what, run in runs.items():
        print(
            f"  {what:25} {run['wall']:5.1f} s  {run['cpu']:5.1f} CPU s  {run['rss']:5.0f} MB peak  {run['found']}"
        )
    ours, theirs = runs["mainspring by key"], runs["duckdb by key"]
    print(
        f"  ratio {ours['cpu'] / theirs['cpu']:.2f}x of DuckDB's CPU seconds, "
        f"{ours['rss'] / theirs['rss']:.2f}x of its memory"
    )


def write_tables(before: Path, after: Path) -> None:
    """Two versions of a table of ids, times, numbers, codes, names and flags."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "id": rng.permutation(ROWS),
            "at": pl.Series(rng.integers(1_600_000_000, 1_700_000_000, ROWS) * 1_000_000).cast(
                pl.Datetime("us")
            ),
            "x": rng.normal(size=ROWS),
            "y": rng.normal(size=ROWS),
            "code": pl.Series(rng.integers(0, 20, ROWS)).cast(pl.String),
            "name": pl.Series(rng.integers(0, 1_000_000, ROWS)).cast(pl.String),
            "n": rng.integers(0, 100, ROWS),
            "flag": rng.random(ROWS) < 0.5,
        }
    )
    frame.write_parquet(before, row_group_size=131_072)
    kept = frame.filter(pl.col("id") >= ROWS // 100)
    changed = kept.with_columns(
        x=pl.when(pl.col("id") % 100 == 7).then(pl.col("x") + 1).otherwise(pl.col("x"))
    )
    new = frame.head(ROWS * 14 // 1000).with_columns(id=pl.col("id") + ROWS)
    shuffled = pl.concat([changed, new]).sample(fraction=1.0, shuffle=True, seed=1)
    shuffled.write_parquet(after, row_group_size=131_072)


def measured(what: str, before: Path, after: Path) -> dict[str, object]:
    """Run one of them in a process of its own."""
    command = [sys.executable, "-m", "benches.table_diff", what, str(before), str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def compare(what: str, before: str, after: str) -> list[int]:
    """Rows added, removed and changed."""
    if what == "duckdb by key":
        return _duckdb(before, after)
    import polars as pl

    from mainspring.datasets.comparable import comparable
    from mainspring.datasets.row_diff import row_diffs
    from mainspring.quality.compare import summary

    tables = comparable(pl.scan_parquet(before), pl.scan_parquet(after))
    key = ("id",) if what.endswith("key") else ()
    rows = summary(row_diffs(tables, key), tables, key=key)
    return [rows.added_count, rows.removed_count, rows.changed_count]


def _duckdb(before: str, after: str) -> list[int]:
    import duckdb

    columns = ("at", "x", "y", "code", "name", "n", "flag")
    differs = " or ".join(f"b.{c} is distinct from a.{c}" for c in columns)
    query = f"""
        select count(*) filter (b.id is null), count(*) filter (a.id is null),
               count(*) filter (a.id is not null and b.id is not null and ({differs}))
        from read_parquet('{before}') b full join read_parquet('{after}') a on a.id = b.id
    """
    return list(duckdb.connect().execute(query).fetchall()[0])


def report(what: str, before: str, after: str) -> None:
    """Print what one comparison cost, as JSON."""
    began, cpu = time.perf_counter(), time.process_time()
    found = compare(what, before, after)
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    # Not what getrusage tells: that is at least what the process was started from.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    print(json.dumps({"wall": wall, "cpu": used, "rss": peak, "found": found}))


if __name__ == "__main__":
    report(*sys.argv[1:])
