"""The code of a schema's own checks: which files it names, and keeping them as bytes beside the schema."""

from collections.abc import Callable, Iterable
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import lay_out, put_files, put_manifest, read_manifest
from mainspring.domain.schema import TableSchema
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, NotFound

CUSTOM = "custom_check_to_pass"
"""The expectation that names a function of the user's."""

LayOut = Callable[[Path], None]
"""Writes the files of checks below a folder."""


def files_of(schema: TableSchema) -> tuple[str, ...]:
    """The files that hold the checks which a schema names.

    >>> files_of(TableSchema(dataset="rides", columns=()))
    ()
    """
    names = [
        str(expectation.arguments["check"]).rpartition(":")[0]
        for expectation in schema.expectations
        if expectation.that == CUSTOM
    ]
    return tuple(sorted(set(names)))


def store_code(blobs: BlobStore, schema: TableSchema, folders: Iterable[Path]) -> Digest | None:
    """Store the files that a schema names, found in the first folder that has them; None if it names none.

    Raises `NotFound` for a file that is nowhere.
    """
    files = files_of(schema)
    if not files:
        return None
    return put_manifest(blobs, put_files(blobs, _folder_with(files, list(folders)), list(files)))


def stored_code(blobs: BlobStore, code: Digest) -> LayOut:
    """Code as it was stored, to be laid out with every byte verified."""
    return lambda target: lay_out(blobs, read_manifest(blobs, code), target)


def code_beside(schema: TableSchema, folders: Iterable[Path]) -> LayOut:
    """Code as it lies in a folder now, for a schema that is a file."""
    where = list(folders)

    def copy(target: Path) -> None:
        files = files_of(schema)
        found = _folder_with(files, where)
        for file in files:
            destination = target / file
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes((found / file).read_bytes())

    return copy


def no_code(target: Path) -> None:
    """For schemas whose code is not at hand; raises `Invalid`."""
    raise Invalid("the code of the schema's checks is not at hand here", code="no_check_code")


def _folder_with(files: tuple[str, ...], folders: list[Path]) -> Path:
    for folder in folders:
        if all((folder / file).is_file() for file in files):
            return folder
    lacking = next(
        file for file in files if not all((folder / file).is_file() for folder in folders)
    )
    raise NotFound(
        f"there is no {lacking}, which the schema names for its checks",
        code="check_code_missing",
        hint=f"Looked in {' and '.join(str(folder) for folder in folders)}.",
    )
