"""The version that a pointer file names, wherever it has which number."""

from pathlib import Path
from typing import Protocol, TypeVar

from mainspring.datasets.pointers import ENDING, Pointer, read_pointer
from mainspring.datasets.requests import GetDatasetVersion, ListDatasetVersions
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.request import Request
from mainspring.kernel.errors import Invalid, NotFound

T = TypeVar("T")


class Caller(Protocol):
    """An installation that can be asked."""

    def call(self, request: Request[T]) -> T: ...


def version_asked(caller: Caller, text: str, number: int | None = None) -> DatasetVersion:
    """The version that a command names: by a dataset, with a number or the newest, or by a pointer file.

    Raises `NotFound`, and as `read_pointer` does.
    """
    if not text.endswith(ENDING):
        return caller.call(GetDatasetVersion(dataset=text, number=number))
    if number is not None:
        raise Invalid(
            f"{text} names a version, and --number another",
            hint="Give one of them: the pointer file, or the dataset with --number.",
        )
    return version_pointed_at(caller, read_pointer(Path(text)))


def version_pointed_at(caller: Caller, pointer: Pointer) -> DatasetVersion:
    """The version here with the pointer's bytes; raises `NotFound` if there is none."""
    try:
        version = caller.call(GetDatasetVersion(dataset=pointer.dataset, number=pointer.number))
    except NotFound:
        version = None
    if version is not None and version.manifest == pointer.manifest:
        return version
    try:
        versions = caller.call(ListDatasetVersions(dataset=pointer.dataset, limit=10_000))
    except NotFound:
        versions = ()
    for version in versions:
        if version.manifest == pointer.manifest:
            return version
    raise NotFound(
        f"no version of {pointer.dataset} here has the bytes {pointer.manifest}",
        code="version_elsewhere",
        hint=f"It was number {pointer.number} where the pointer was written; `mainspring data pull` brings "
        "versions from a remote.",
    )


def target_asked(text: str, target: Path | None) -> Path:
    """Where a version is to be laid out: a pointer file stands beside its folder unless another is named."""
    if target is not None:
        return target
    if not text.endswith(ENDING):
        raise Invalid("where to?", hint=f"Name a folder: mainspring data checkout {text} FOLDER")
    return Path(text.removesuffix(ENDING))
