"""Adding, comparing and checking out data: beside DVC and `cp -r` of the same files, in the same run.

Both tools' own folders are made before the clock starts. ext4 passes over inodes that were freed in the last five seconds one
by one, so each measurement waits until nothing was deleted for longer than that.

`SMALL_FILES` (20,000) sets how many small files of 10 KB there are, `LARGE_MEGABYTES` (500) how large each of the four
large ones is. Times are of whole commands, their start included; CPU is that of the command and its children.
"""

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_SMALL_FILES = int(os.environ.get("SMALL_FILES", "20000"))
_LARGE_MEGABYTES = int(os.environ.get("LARGE_MEGABYTES", "500"))
_SMALL_BYTES = 10_000
_FREED_SECONDS = 6
_ROOT = Path(__file__).parents[1]
_OURS = str(Path(sys.executable).with_name("mainspring"))
_DVC = _ROOT / ".venv-dvc" / "bin" / "dvc"


class Cost(NamedTuple):
    """Seconds that something took, by the clock and of the processors."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool at work in a folder of its own; each command is a function of that folder."""

    name: str
    start: Callable[[Path], list[list[str]]]
    cheapest: list[str]
    add: list[str]
    status: list[str]
    checkout: list[str]
    store: str


_TOOLS = (
    Tool(
        "mainspring",
        lambda _: [[_OURS, "data", "list"]],
        [_OURS, "--version"],
        [_OURS, "data", "add", "data", "data"],
        [_OURS, "data", "status", "data"],
        [_OURS, "data", "checkout", "data", "data"],
        ".mainspring",
    ),
    Tool(
        "dvc",
        lambda _: [["git", "init", "-q"], [str(_DVC), "init", "-q"]],
        [str(_DVC), "--version"],
        [str(_DVC), "add", "-q", "data"],
        [str(_DVC), "status", "-q", "data.dvc"],
        [str(_DVC), "checkout", "-q", "data.dvc"],
        ".dvc/cache",
    ),
)


def main() -> None:
    """Measure and print."""
    if not _DVC.exists():
        raise SystemExit("there is no .venv-dvc: make it with `make setup-dvc`")
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
        root = Path(folder)
        small, large = root / "small", root / "large"
        _make_small(small)
        _compare(f"{_SMALL_FILES:,} files of 10 KB", root, small)
        shutil.rmtree(small)
        _make_large(large)
        _compare(f"4 files of {_LARGE_MEGABYTES} MB", root, large)


def _compare(what: str, root: Path, source: Path) -> None:
    _settle()
    base = {
        "cp -r": _measured(["cp", "-r", str(source), str(root / "copy")], root),
        "read and hash once": _timed(lambda: _read_all(source)),
    }
    print(f"\n{what}; seconds by the clock (CPU)")
    for name, cost in base.items():
        print(f"  {name:42} {cost.wall:7.2f} ({cost.cpu:5.2f})")
    shutil.rmtree(root / "copy")
    found = {tool.name: _at_work(tool, root, source) for tool in _TOOLS}
    ours, theirs = found["mainspring"], found["dvc"]
    for row, cost in ours.items():
        peer = theirs[row]
        print(
            f"  {row:42} {cost.wall:7.2f} ({cost.cpu:5.2f})   DVC {peer.wall:7.2f} ({peer.cpu:5.2f})"
            f"   {peer.wall / cost.wall:5.1f}x quicker, {peer.cpu / cost.cpu:5.1f}x less CPU;"
            f"   of cp -r {cost.wall / base['cp -r'].wall:5.2f}x"
            f", of hashing {cost.wall / base['read and hash once'].wall:5.2f}x"
        )


def _at_work(tool: Tool, root: Path, source: Path) -> dict[str, Cost]:
    home = root / tool.name
    home.mkdir()
    data = home / "data"
    shutil.copytree(source, data)
    for command in tool.start(home):
        subprocess.run(
            command, cwd=home, env=_environment(home), stdout=subprocess.DEVNULL, check=True
        )
    _settle()
    found = {"cheapest command": _measured(tool.cheapest, home)}
    found["add"] = _measured(tool.add, home)
    found["status, nothing changed"] = _measured(tool.status, home)
    found["add again, nothing changed"] = _measured(tool.add, home)
    shutil.rmtree(data)
    _settle()
    found["checkout after deletion"] = _measured(tool.checkout, home)
    _check_same(source, data)
    before = _size(home / tool.store)
    largest = max(data.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    _insert(largest)
    found["add after 8 bytes were inserted in one file"] = _measured(tool.add, home)
    grown = _size(home / tool.store) - before
    print(
        f"  {tool.name}'s store grew by {grown:,} bytes for 8 inserted ones, {grown / before:.4%} of it"
    )
    shutil.rmtree(home)
    return found


def _measured(command: list[str], folder: Path) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=_environment(folder), stdout=subprocess.DEVNULL, check=True
    )
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "MAINSPRING_HOME": str(folder / ".mainspring"),
    }


def _settle() -> None:
    os.sync()
    time.sleep(_FREED_SECONDS)


def _timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _read_all(source: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                hashlib.file_digest(file, "sha256")


def _make_small(folder: Path) -> None:
    for number in range(_SMALL_FILES):
        path = folder / f"{number % 200:03d}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(_SMALL_BYTES))


def _make_large(folder: Path) -> None:
    folder.mkdir()
    for number in range(4):
        with (folder / f"{number}.bin").open("wb") as file:
            for _ in range(_LARGE_MEGABYTES):
                file.write(os.urandom(1_000_000))


def _insert(path: Path) -> None:
    changed = path.with_suffix(".changed")
    with path.open("rb") as source, changed.open("wb") as target:
        target.write(source.read(path.stat().st_size // 2))
        target.write(b"inserted")
        shutil.copyfileobj(source, target, 1 << 20)
    changed.replace(path)


def _check_same(one: Path, two: Path) -> None:
    done = subprocess.run(["diff", "-rq", one, two], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"what came back is not what was added: {done.stdout[:500]}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
