"""What a check in a process of its own is asked, and what it answers."""

from dataclasses import dataclass
from typing import Any

import msgspec

DEFAULT_TIMEOUT_SECONDS = 60.0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One check to run. `arguments` is any JSON: each function has its own."""

    file: str
    function: str
    columns: list[str] = []
    arguments: dict[str, Any] = {}
    where: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Checks to run one after the other on the table whose plan is in the file `table`.

    Masks are written beside it, named by the task's number, which counts from `first`.
    """

    tasks: list[Task]
    first: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one check answered: exactly one of these, `mask` being the name of a file, or an error."""

    passed: bool | None = None
    number: float | None = None
    mask: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one check: passed or not, a number, or the column that holds its answer for each row."""

    passed: bool | None = None
    number: float | None = None
    column: str | None = None
    error: str | None = None
