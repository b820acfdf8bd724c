"""What processes that run users' code have in common."""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_OWN = str(Path(__file__).parents[1])


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for users' code: without our settings, among which are secrets."""
    return {key: value for key, value in environment.items() if not key.startswith("MAINSPRING_")}


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that made it ends, as `parent` may have already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def enter_project(folder: Path) -> None:
    """Import from a laid-out project, and from its `src` if it has one, before anything that is installed."""
    os.chdir(folder)
    for path in (folder / "src", folder):
        if path.is_dir():
            sys.path.insert(0, str(path))


def told(error: BaseException, project: Path) -> tuple[str, str | None]:
    """An exception in one line, and `file:line` of the innermost frame in the project's code."""
    name = type(error).__name__
    text = str(error).strip()
    line = f"{name}: {text}" if text else name
    where = None
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{name}: {error.msg}", f"{Path(error.filename).name}:{error.lineno}"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(project):
            where = f"{path.relative_to(project).as_posix()}:{frame.lineno}"
    return line, where


def users_traceback(error: BaseException) -> str:
    """The traceback without the frames of Mainspring and of the import system around the user's code."""
    frames = error.__traceback__
    while frames is not None and (
        frames.tb_frame.f_code.co_filename.startswith((_OWN, "<frozen importlib"))
        or frames.tb_frame.f_code.co_filename.endswith("importlib/__init__.py")
    ):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
