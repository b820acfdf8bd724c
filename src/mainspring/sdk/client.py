"""What the embedded and the remote client have in common."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolders
from mainspring.domain.request import Request
from mainspring.kernel.codec import convert
from mainspring.kernel.errors import NotFound
from mainspring.kernel.instants import Instant, parse_instant
from mainspring.operations.operation import Operation
from mainspring.operations.table import BY_NAME

if TYPE_CHECKING:
    import polars as pl

    from mainspring.pipelines.dataset import Dataset
    from mainspring.quality.intake import IntakeResult

T = TypeVar("T")


class Client(ABC):
    """An installation of Mainspring, in this process or behind a URL. Safe to use from many threads.

    Everything there is to ask is a request: `client.call(ListModels())`. The same by name, for notebooks:
    `client.call_name("model.list")`. Both raise the errors of `mainspring.kernel.errors`.
    """

    blobs: BlobStore
    seen: SeenFolders | None = None
    """What folders of this machine looked like, where that is kept: an unchanged file is not read again."""

    @abstractmethod
    def call(self, request: Request[T]) -> T:
        """Carry out a request and give its answer."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and files."""

    def call_name(self, name: str, /, **fields: Any) -> Any:
        """Carry out the operation with this name; raises `NotFound` for a name that there isn't."""
        operation = operation_named(name)
        return self.call(convert(fields, operation.request, what=name))

    def dataset(
        self, name: str, number: int | None = None, *, known_at: Instant | None = None
    ) -> "Dataset":
        """A dataset version to read: by number, the newest accepted one, or what that was at a moment.

        `client.dataset("rides").as_of("2026-01-31").read()` is the newest version's rows as they were known then;
        `known_at` picks the version itself. Raises `NotFound`.
        """
        from mainspring.datasets.requests import GetDatasetVersion
        from mainspring.pipelines.dataset import Dataset
        from mainspring.quality.times import times_of

        moment = None if known_at is None else parse_instant(known_at, what="known_at")
        version = self.call(GetDatasetVersion(dataset=name, number=number, known_at=moment))
        return Dataset(
            name=version.dataset,
            number=version.number,
            manifest=version.manifest,
            blobs=self.blobs,
            times=times_of(self.call, version.dataset),
            created_at=version.created_at,
        )

    def add_data(
        self, dataset: str, source: "str | Path | pl.DataFrame", *, note: str = ""
    ) -> "IntakeResult":
        """Add a file, folder or frame as the next version of a dataset; checked like any delivery.

        Data that fails its checks is kept as a refused version: the result says so, and nothing is raised. Raises
        `NotFound`, `Conflict` or `Invalid` for a source that is not there, changes meanwhile or can't be read.
        """
        from mainspring.quality.intake import add_data

        given = Path(source) if isinstance(source, str) else source
        return add_data(self.call, self.blobs, dataset, given, note=note, seen=self.seen)

    def checkout(
        self,
        dataset: str,
        folder: str | Path,
        *,
        number: int | None = None,
        only: Sequence[str] = (),
        force: bool = False,
    ) -> bool:
        """Write a version's files to a folder, as `mainspring data checkout` does; False if they were there already."""
        from mainspring.datasets.checkout import checkout
        from mainspring.datasets.requests import GetDatasetVersion

        version = self.call(GetDatasetVersion(dataset=dataset, number=number))
        return checkout(self.blobs, version, Path(folder), only=only, force=force, seen=self.seen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def operation_named(name: str) -> Operation:
    """The operation with this name; raises `NotFound`, suggesting one that is close."""
    operation = BY_NAME.get(name)
    if operation is None:
        close = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "/api/v1/operations lists them."
        raise NotFound(f"there is no operation {name!r}", code="no_operation", hint=hint)
    return operation
