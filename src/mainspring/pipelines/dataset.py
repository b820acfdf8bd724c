"""A dataset version, as a step sees it."""

from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import lay_out, read_manifest
from mainspring.kernel.digests import Digest

if TYPE_CHECKING:
    import polars as pl


class Dataset:
    """One version of a dataset. A step that asks for a `pl.DataFrame` is given `read()` instead."""

    def __init__(self, *, name: str, number: int, manifest: Digest, blobs: BlobStore) -> None:
        self.name = name
        self.number = number
        self.manifest = manifest
        self._blobs = blobs

    def __repr__(self) -> str:
        return f"<dataset {self.name} version {self.number}>"

    def read(self) -> "pl.DataFrame":
        """The whole table in memory; raises `Invalid` if the files are no table."""
        from mainspring.datasets.tables import read_table

        return read_table(self._blobs, self.manifest)

    def scan(self) -> "pl.LazyFrame":
        """The table as a query, of which only what is asked for is read."""
        from mainspring.datasets.tables import scan

        return scan(self._blobs, self.manifest)

    def files(self, target: Path | str) -> Path:
        """Write the files below a folder, and give that folder back."""
        folder = Path(target)
        lay_out(self._blobs, read_manifest(self._blobs, self.manifest), folder, replace=True)
        return folder
