"""Profiles and checks of a million rows by thirty columns of Parquet, against what others take for the same.

Each runs in a process of its own; CPU seconds count all its threads and leave out the imports. DuckDB and Polars
come with the development environment; Great Expectations, Pandera and whylogs, and TFDV run if `make setup-ge`, `setup-peers` and
`setup-tfdv` were made. `python -m benches.quality large` profiles ten million rows.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.domain.schema import TableSchema

ROWS = 1_000_000
REPEATS = 3
PEERS = {
    "great_expectations": ".venv-ge",
    "pandera": ".venv-peers",
    "whylogs": ".venv-peers",
    "tfdv": ".venv-tfdv",
}
"""In which environment each peer is installed."""


def main() -> None:
    """Print CPU seconds, peak memory and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        good, bad = Path(folder) / "good.parquet", Path(folder) / "bad.parquet"
        write_tables(good, bad, ROWS)
        megabytes = good.stat().st_size / 1e6
        print(f"{ROWS:,} rows x 30 columns, {megabytes:.0f} MB of Parquet; best of {REPEATS}")
        _profiles(good)
        _checks(good, bad)


def _profiles(path: Path) -> None:
    ours = _best("profile", path)
    theirs = _best("summarize", path)
    _line("mainspring profile", ours)
    _line("duckdb SUMMARIZE", theirs)
    print(f"  ratio {ours['cpu'] / theirs['cpu']:.2f}x of DuckDB's CPU seconds (at most 0.40x)")
    for name, most in (("tfdv", 0.25), ("whylogs", 0.1)):
        if (peer := _peer(name, path)) is not None:
            _line(name, peer)
            print(f"  ratio {ours['cpu'] / peer['cpu']:.2f}x of {name}'s (at most {most:.2f}x)")


def large() -> None:
    """Ten million rows, the same million ten times: as much a row, in bounded memory."""
    with tempfile.TemporaryDirectory() as folder:
        good, ten = Path(folder) / "good.parquet", Path(folder) / "ten.parquet"
        write_tables(good, Path(folder) / "bad.parquet", ROWS)
        _repeat(good, ten, 10)
        one, whole, theirs = (
            measured("profile", good),
            measured("profile", ten),
            measured("summarize", ten),
        )
        print(f"{10 * ROWS:,} rows x 30 columns, {ten.stat().st_size / 1e6:.0f} MB of Parquet")
        _line("mainspring profile", whole)
        _line("duckdb SUMMARIZE", theirs)
        print(
            f"  ratio {whole['cpu'] / theirs['cpu']:.2f}x of DuckDB's CPU seconds (at most 0.40x)"
        )
        print(f"  {whole['cpu'] / one['cpu'] / 10:.2f}x as much a row as of a million (about 1)")


def _repeat(path: Path, target: Path, times: int) -> None:
    import polars as pl

    pl.scan_parquet([path] * times).sink_parquet(target, row_group_size=131_072)


def _checks(good: Path, bad: Path) -> None:
    ours, by_hand = _best("check", good), _best("by_hand", good)
    failing = _best("check", bad)
    _line("mainspring 61 checks", ours)
    _line("one Polars query", by_hand)
    _line("mainspring, 1 % fail", failing)
    print(f"  ratio {ours['cpu'] / by_hand['cpu']:.2f}x of the query by hand (at most 1.10x)")
    print(f"  ratio {failing['cpu'] / ours['cpu']:.2f}x with 1 % of rows failing (at most 1.50x)")
    known = _best("check_profiled", good)
    _line("already profiled", known)
    print(f"  ratio {known['cpu'] / ours['cpu']:.2f}x with the profile at hand (no second pass)")
    for name, least in (("great_expectations", 10), ("pandera", 1.5)):
        if (peer := _peer(name, good)) is not None:
            _line(name, peer)
            print(
                f"  {peer['cpu'] / ours['cpu']:.1f} times as quick as {name} (at least {least:g})"
            )


def _peer(name: str, path: Path) -> dict[str, float] | None:
    """What a peer takes; None if its environment was not made."""
    python = _python_of(name)
    return measured(name, path) if python.exists() else None


def _python_of(name: str) -> Path:
    return Path(__file__).parents[1] / PEERS[name] / "bin" / "python"


def _line(name: str, run: dict[str, float]) -> None:
    print(f"  {name:22} {run['cpu']:6.2f} CPU s {run['wall']:6.2f} s {run['rss']:5.0f} MB peak")


def write_tables(good: Path, bad: Path, rows: int) -> None:
    """Twenty columns of numbers and ten of text, with gaps; in the second, 1 % of the values are wrong."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {f"n{k}": rng.normal(k, 1 + k, rows) for k in range(10)}
    columns |= {f"amount{k}": rng.lognormal(0, 1, rows) for k in range(4)}
    columns |= {f"code{k}": rng.integers(0, 10 ** (k + 1), rows) for k in range(5)}
    columns["id"] = np.arange(rows)
    for k, number in enumerate((2, 5, 20, 50, 200, 1000)):
        columns[f"t{k}"] = rng.choice([f"name {j:04d}" for j in range(number)], rows)
    columns["t6"] = rng.choice(["open", "closed", "held"], rows, p=[0.7, 0.2, 0.1])
    columns["t7"] = [f"user{n:07d}" for n in rng.integers(0, 200_000, rows)]
    columns["t8"] = [f"{n:08x}-{n % 9973:04d}" for n in rng.integers(0, 2**32, rows)]
    columns["t9"] = rng.choice([f"City of {j}" for j in range(3000)], rows)
    frame = pl.DataFrame(columns)
    for number, name in enumerate([*frame.columns[:10], "t0", "t3", "t9"]):
        keep = pl.Series(rng.random(rows) >= (0.01, 0.05, 0.1, 0.3)[number % 4])
        frame = frame.with_columns(pl.when(keep).then(pl.col(name)).alias(name))
    frame.write_parquet(good, row_group_size=131_072)
    wrong = pl.Series(rng.random(rows) < 0.01)
    frame.with_columns(
        pl.when(wrong).then(pl.lit(-1e9)).otherwise(pl.selectors.float()).name.keep(),
        pl.when(wrong).then(pl.lit("?")).otherwise(pl.selectors.string()).name.keep(),
    ).write_parquet(bad, row_group_size=131_072)


def suite() -> list[tuple[str, dict[str, Any]]]:
    """Sixty-one expectations under Great Expectations' names; the good table meets them all."""
    numbers = [f"n{k}" for k in range(10)] + [f"amount{k}" for k in range(4)]
    numbers += [f"code{k}" for k in range(5)] + ["id"]
    texts = [f"t{k}" for k in range(10)]
    asked: list[tuple[str, dict[str, Any]]] = [("table_row_count_to_equal", {"value": ROWS})]
    asked += [
        ("column_values_to_not_be_null", {"column": name, "mostly": 0.6})
        for name in [*numbers, *texts]
    ]
    asked += [
        ("column_values_to_be_between", {"column": n, "min_value": -1e6, "max_value": 1e7})
        for n in numbers
    ]
    asked += [
        ("column_values_to_match_regex", {"column": f"t{k}", "regex": "^name [0-9]{4}$"})
        for k in range(6)
    ]
    asked += [
        ("column_values_to_be_in_set", {"column": "t6", "value_set": ["open", "closed", "held"]}),
        ("column_values_to_match_regex", {"column": "t7", "regex": "^user"}),
        ("column_value_lengths_to_equal", {"column": "t8", "value": 13}),
        ("column_value_lengths_to_be_between", {"column": "t9", "min_value": 3, "max_value": 40}),
    ]
    return asked


def profile(path: Path) -> None:
    """Ours: from the file to the bytes that are stored."""
    import polars as pl

    from mainspring.quality.measure import profile_table
    from mainspring.quality.profile import encode_profile

    stored = encode_profile(profile_table(pl.scan_parquet(path)))
    path.with_suffix(".profile").write_bytes(stored)


def summarize(path: Path) -> None:
    """DuckDB's counts, extremes, means, deviations, quartiles and distinct values."""
    import duckdb

    duckdb.connect().execute(f"SUMMARIZE SELECT * FROM '{path}'").fetchall()


def check(path: Path) -> None:
    """Ours: verdicts, counts and example rows."""
    import polars as pl

    from mainspring.quality.checks import check_table

    report = check_table(_schema(), pl.scan_parquet(path))
    assert report.passed is ("good" in path.name)


def check_profiled(path: Path) -> None:
    """Ours, with the profile that was made when the table was added: from its stored bytes to verdicts."""
    import polars as pl

    from mainspring.quality.catalogue.scope import Surroundings
    from mainspring.quality.checks import check_table
    from mainspring.quality.profile import decode_profile

    stored = decode_profile(path.with_suffix(".profile").read_bytes())
    around = Surroundings().profiled(stored)
    assert check_table(_schema(), pl.scan_parquet(path), around=around).passed


def _schema() -> "TableSchema":
    from mainspring.domain.schema import Expectation, TableSchema

    expectations = []
    for that, given in suite():
        arguments = dict(given)
        mostly = arguments.pop("mostly", 1.0)
        expectations.append(Expectation(that=that, arguments=arguments, mostly=mostly))
    return TableSchema(
        dataset="bench", columns=(), allow_extra_columns=True, expectations=tuple(expectations)
    )


def by_hand(path: Path) -> None:
    """One query that counts the same violations, as someone would write it who knows Polars well."""
    import polars as pl

    parts = [pl.len().alias("rows")]
    for number, (that, asked) in enumerate(suite()[1:]):
        value = pl.col(asked["column"])
        match that:
            case "column_values_to_not_be_null":
                wrong = value.is_null()
            case "column_values_to_be_between":
                wrong = (value < asked["min_value"]) | (value > asked["max_value"])
            case "column_values_to_match_regex":
                wrong = ~value.str.contains(asked["regex"])
            case "column_values_to_be_in_set":
                wrong = ~value.is_in(asked["value_set"])
            case "column_value_lengths_to_equal":
                wrong = value.str.len_chars() != asked["value"]
            case _:
                length = value.str.len_chars()
                wrong = (length < asked["min_value"]) | (length > asked["max_value"])
        parts.append(wrong.sum().alias(str(number)))
    pl.scan_parquet(path).select(parts).collect(engine="streaming")


WORK: dict[str, tuple[str, Callable[[Path], None]]] = {
    "profile": ("mainspring.quality.measure", profile),
    "summarize": ("duckdb", summarize),
    "check": ("mainspring.quality.checks", check),
    "check_profiled": ("mainspring.quality.checks", check_profiled),
    "by_hand": ("polars", by_hand),
}


def _best(name: str, path: Path) -> dict[str, float]:
    return min((measured(name, path) for _ in range(REPEATS)), key=lambda run: run["cpu"])


def measured(name: str, path: Path) -> dict[str, float]:
    """CPU seconds, seconds and peak memory (MB) of one run in a fresh process."""
    command = [sys.executable, "-m", "benches.quality", name, str(path)]
    if name in PEERS:
        script = Path(__file__).with_name("_data_peers.py")
        # Not from its folder, where `profile.py` would stand for the standard library's.
        command = [str(_python_of(name)), "-P", str(script), name, str(path), json.dumps(suite())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _run(name: str, path: Path) -> None:
    module, work = WORK[name]
    importlib.import_module(module)
    importlib.import_module("polars")
    cpu, wall = time.process_time(), time.perf_counter()
    work(path)
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    result = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "rss": int(peak.split()[1]) / 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _run(sys.argv[1], Path(sys.argv[2]))
    elif sys.argv[1:] == ["large"]:
        large()
    else:
        main()
