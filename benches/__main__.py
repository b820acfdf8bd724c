"""Run every benchmark, or those that are named."""

import importlib
import pkgutil
import sys

import benches


def main() -> None:
    """Run what the command line names, or all."""
    names = sys.argv[1:] or [
        module.name
        for module in pkgutil.iter_modules(benches.__path__)
        if not module.name.startswith("_")
    ]
    for name in names:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benches.{name}").main()


if __name__ == "__main__":
    main()
