"""What `import mainspring` and `mainspring --help` cost, against a Python that does nothing."""

import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

_ROUNDS = 9
_COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import mainspring": [sys.executable, "-c", "import mainspring"],
    "mainspring --help": [str(Path(sys.executable).with_name("mainspring")), "--help"],
    "mainspring --version": [str(Path(sys.executable).with_name("mainspring")), "--version"],
}


def main() -> None:
    """Measure and print."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in _COMMANDS}
    for command in _COMMANDS.values():
        _run(command)  # compiles what has not been compiled yet
    # In turn, so that a busy moment of the machine hits all alike.
    for _ in range(_ROUNDS):
        for name, command in _COMMANDS.items():
            seconds[name].append(_run(command))
    bare = [median(each[part] for each in seconds["python -c pass"]) for part in (0, 1)]
    print(f"{_ROUNDS} rounds in turn, medians (fastest in brackets):")
    for name, runs in seconds.items():
        wall, cpu = (median(each[part] for each in runs) for part in (0, 1))
        fastest = min(each[0] for each in runs)
        print(
            f"  {name:21} wall {wall * 1e3:5.0f} ms ({fastest * 1e3:.0f})   CPU {cpu * 1e3:5.0f} ms"
            f"   ratio {wall / bare[0]:5.2f} wall, {cpu / bare[1]:5.2f} CPU"
        )


def _run(command: list[str]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), _children_seconds()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - wall, _children_seconds() - cpu


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
