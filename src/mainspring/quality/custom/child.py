"""The process that runs checks which people wrote: a `Job` from a file, an `Answer` for each on a pipe."""

import ctypes
import importlib.util
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.quality.custom.authoring import MARK
from mainspring.quality.custom.outcome import Answer, Job, Task

if TYPE_CHECKING:
    import polars as pl

_PR_SET_PDEATHSIG = 1


def main(scratch: str, pipe: str, parent: str) -> None:
    """Run the job in the folder `scratch`, and write one line for each check to `pipe`."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        os._exit(1)
    import polars as pl

    folder = Path(scratch)
    job = msgspec.json.decode((folder / "job").read_bytes(), type=Job)
    table = pl.LazyFrame.deserialize(folder / "table")
    code = folder / "code"
    os.chdir(code)
    sys.path.insert(0, str(code))
    with os.fdopen(int(pipe), "wb", buffering=0) as answers:
        answers.write(b"ready\n")
        for number, task in enumerate(job.tasks, job.first):
            answer = _answered(code, table, task, folder / f"mask-{number}")
            answers.write(msgspec.json.encode(answer) + b"\n")


def _answered(code: Path, table: "pl.LazyFrame", task: Task, mask: Path) -> Answer:
    try:
        return _read(_called(_function(code, task), table, task), table, task, mask)
    except MainspringError as error:
        return Answer(error=error.message)
    # Anything that foreign code raises is its answer, an attempt to end the process too.
    except BaseException as error:
        return Answer(error=_told(error, code))


def _function(code: Path, task: Task) -> Callable[..., Any]:
    module = _module(code, task.file)
    found = getattr(module, task.function, None)
    if not callable(found) or not getattr(found, MARK, False):
        marked = [name for name, value in vars(module).items() if getattr(value, MARK, False)]
        raise Invalid(
            f"{task.file} has no check {task.function!r}; marked with @ms.check "
            f"{'is' if len(marked) == 1 else 'are'} {', '.join(marked) or 'nothing'}"
        )
    return found  # type: ignore[no-any-return] # callable, as was just asked


def _module(code: Path, file: str) -> ModuleType:
    name = Path(file).with_suffix("").as_posix().replace("/", ".")
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(code / file):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, code / file)
    if spec is None or spec.loader is None:
        raise Invalid(f"{file} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _called(function: Callable[..., Any], table: "pl.LazyFrame", task: Task) -> Any:
    asked = _asked(table, task)
    if not task.columns:
        return function(asked, **task.arguments)
    frame = asked.select(task.columns).collect()
    return function(*frame.iter_columns(), **task.arguments)


def _asked(table: "pl.LazyFrame", task: Task) -> "pl.LazyFrame":
    import polars as pl

    if task.where is None:
        return table
    return table.filter(pl.sql_expr(task.where).fill_null(False))


def _read(returned: Any, table: "pl.LazyFrame", task: Task, mask: Path) -> Answer:
    """What a function returned, as an answer; raises `Invalid` for what is none."""
    import numpy as np
    import polars as pl

    if isinstance(returned, pl.Expr):
        returned = _asked(table, task).select(returned).collect()
    if isinstance(returned, pl.LazyFrame):
        returned = returned.collect()
    if isinstance(returned, bool | np.bool_):
        return Answer(passed=bool(returned))
    if isinstance(returned, int | float | np.integer | np.floating):
        number = float(returned)
        if math.isnan(number):
            raise Invalid("it returned NaN, which no bound can judge")
        return Answer(number=number)
    rows = _mask(returned)
    asked = _asked(table, task)
    count = int(asked.select(pl.len()).collect().item())
    if len(rows) != count:
        raise Invalid(f"it returned {len(rows):,} answers for {count:,} rows")
    if task.where is not None:
        rows = _spread(rows, table, task.where)
    rows.alias("is_good").to_frame().write_ipc(mask)
    return Answer(mask=mask.name)


def _mask(returned: Any) -> "pl.Series":
    """One true, false or null for each row, of whichever library it came from."""
    import numpy as np
    import polars as pl

    if isinstance(returned, pl.DataFrame) and returned.width == 1:
        returned = returned.to_series()
    if isinstance(returned, list):
        with suppress(TypeError, pl.exceptions.PolarsError):
            returned = pl.Series(returned)
    if not isinstance(returned, pl.Series):
        array = getattr(returned, "to_numpy", lambda: returned)()
        if isinstance(array, np.ndarray) and array.ndim == 1:
            returned = pl.Series(array)
    if isinstance(returned, pl.Series) and returned.dtype in (pl.Boolean, pl.Null):
        return returned.cast(pl.Boolean)
    what = type(returned).__name__
    if isinstance(returned, pl.Series):
        what += f" of {returned.dtype}"
    raise Invalid(
        f"it returned a {what}; a check returns true or false, a number, or true or false for each row"
    )


def _spread(rows: "pl.Series", table: "pl.LazyFrame", where: str) -> "pl.Series":
    """Answers for the rows that were asked about, among all rows; null for the others."""
    import polars as pl

    is_asked = (
        table.select(pl.sql_expr(where).fill_null(False).alias("is_asked")).collect().to_series()
    )
    places = is_asked.arg_true()
    return (
        pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(is_asked)).scatter(places, rows)
    )


def _told(error: BaseException, code: Path) -> str:
    """An exception in one line, with the line of the user's code that it came from."""
    text = " ".join(str(error).split())[:500]
    line = f"it raised {type(error).__name__}" + (f": {text}" if text else "")
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{line} ({Path(error.filename).name}:{error.lineno})"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(code):
            return f"{line} ({Path(frame.filename).relative_to(code).as_posix()}:{frame.lineno})"
    return line


if __name__ == "__main__":
    main(*sys.argv[1:])
