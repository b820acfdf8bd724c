"""Letting quarantined rows in after all: the version and its rows become one table, stored and recorded."""

from mainspring.blobs.port import BlobStore
from mainspring.datasets.folders import Call
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.datasets.tables import scan
from mainspring.domain.quarantine import Quarantine
from mainspring.quality.judgement import schema_in_force, store_frame
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import encode_profile
from mainspring.quality.requests import GetQuarantine, ReleaseQuarantine


def release(call: Call, blobs: BlobStore, id_: str, *, note: str = "") -> Quarantine:
    """Make the version that has the rows too; they stand after the others, in the order they came in.

    Raises as the operations do, and `Invalid` or `Corrupt` for stored tables that can't be read.
    """
    import polars as pl

    held: Quarantine = call(GetQuarantine(id=id_))
    version = call(GetDatasetVersionById(id=held.version))
    apart = scan(blobs, held.manifest)
    rows = apart.select(apart.collect_schema().names()[:-1])
    whole = store_frame(blobs, pl.concat([scan(blobs, version.manifest), rows]))
    schema = schema_in_force(call, version.dataset)
    private = [column.name for column in schema.columns if column.private] if schema else []
    profile = profile_table(scan(blobs, whole.manifest), private=private)
    released: Quarantine = call(
        ReleaseQuarantine(
            id=held.id,
            manifest=whole.manifest,
            file_count=whole.file_count,
            size_bytes=whole.size_bytes,
            row_count=whole.row_count or 0,
            columns=whole.columns or (),
            profile=blobs.put_bytes(encode_profile(profile)),
            note=note,
        )
    )
    return released
