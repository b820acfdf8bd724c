"""What a step's process is told, and what it answers: files beside it, as JSON."""

import msgspec

from mainspring.domain.pipeline import StoredValue
from mainspring.domain.times import Times
from mainspring.kernel.digests import Digest


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """An argument that is another step's result."""

    value: StoredValue


class KeptList(msgspec.Struct, frozen=True, tag="list"):
    """An argument that is a list of other steps' results."""

    values: tuple[StoredValue, ...]


class KeptDataset(msgspec.Struct, frozen=True, tag="dataset"):
    """An argument that is a dataset version."""

    name: str
    number: int
    manifest: Digest
    times: Times | None = None


class Plain(msgspec.Struct, frozen=True, tag="plain"):
    """An argument that is a value by itself."""

    value: object


Argument = Kept | KeptList | KeptDataset | Plain


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a step. Paths are absolute."""

    run: str
    node: str
    step: str
    attempt: int
    arguments: dict[str, Argument]
    output_count: int | None
    cpus: int
    project: str
    scratch: str
    checkpoint: str
    blobs: str
    environment: dict[str, str]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The step returned, and all that it returned is kept."""

    outputs: tuple[StoredValue, ...]


class Raised(msgspec.Struct, frozen=True, tag="raised"):
    """The step, or keeping what it returned, raised.

    `where` is `file:line` in the project's code, `kinds` the exception's type and those it derives from, as
    `module.qualified_name`.
    """

    error: str
    where: str | None
    kinds: tuple[str, ...] = ()


Answer = Done | Raised

TASK_FILE = "task.json"
ANSWER_FILE = "answer.json"
