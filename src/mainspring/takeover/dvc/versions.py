"""Recording one state of a DVC repository's data as a version here."""

import tempfile
from pathlib import Path

from mainspring.blobs.trees import lay_out
from mainspring.datasets.ingest import Ingested
from mainspring.datasets.tables import read_through, scan, table_files
from mainspring.domain.dataset import DatasetVersion, Manifest
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid
from mainspring.quality.intake import add_data
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import encode_profile
from mainspring.quality.requests import GetSchema
from mainspring.takeover.dvc.history import State
from mainspring.takeover.home import Home
from mainspring.takeover.requests import DatasetOrigin, TakeOverDatasetVersion, TakeOverOrigins


def record(
    home: Home, name: str, state: State, *, manifest: Manifest, digest: Digest, notes: list[str]
) -> DatasetVersion:
    """Record a version with its time and author; where a schema is in force, as a delivery that it checks."""
    if home.call(GetSchema(dataset=name)) is not None:
        return _delivered(home, name, state, manifest)
    taken = _described(home, state, manifest, digest, notes)
    profile = None
    if taken.is_table:
        profile = home.blobs.put_bytes(encode_profile(profile_table(scan(home.blobs, digest))))
    return home.call(
        TakeOverDatasetVersion(
            dataset=name,
            origin=state.origin,
            manifest=digest,
            file_count=taken.file_count,
            size_bytes=taken.size_bytes,
            row_count=taken.row_count,
            columns=taken.columns,
            profile=profile,
            note=state.commit.subject,
            created_at=state.commit.at,
            created_by=state.commit.author,
        )
    )


def _delivered(home: Home, name: str, state: State, manifest: Manifest) -> DatasetVersion:
    with tempfile.TemporaryDirectory(prefix="mainspring-") as scratch:
        lay_out(home.blobs, manifest, Path(scratch))
        source = Path(scratch)
        if not state.out.is_folder:
            source /= manifest.entries[0].path
        version = add_data(home.call, home.blobs, name, source, note=state.commit.subject).version
    told = DatasetOrigin(dataset=name, number=version.number, origin=state.origin)
    home.call(TakeOverOrigins(origins=(told,)))
    return version


def _described(
    home: Home, state: State, manifest: Manifest, digest: Digest, notes: list[str]
) -> Ingested:
    row_count, columns = None, None
    try:
        if table_files(manifest) is not None:
            row_count, columns = read_through(home.blobs, digest)
    except Invalid as error:
        # What was committed is history, readable or not: it is kept as the files that it is.
        where = f"{state.out.path} at {state.commit.short}"
        notes.append(f"{where} can't be read as a table and is kept as files: {error.message}")
    return Ingested(
        manifest=digest,
        file_count=len(manifest.entries),
        size_bytes=manifest.size_bytes,
        row_count=row_count,
        columns=columns,
    )
