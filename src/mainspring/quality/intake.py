"""Taking data in: stored, profiled, checked against the schema in force, and recorded with the verdict."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolders
from mainspring.datasets.folders import Call, newest_version, remember, take
from mainspring.datasets.ingest import Ingested, describe, ingest_frame
from mainspring.datasets.references import Reference, put_reference
from mainspring.domain.check import CheckReport
from mainspring.domain.dataset import DatasetVersion, DatasetVersionState
from mainspring.domain.quarantine import Quarantine
from mainspring.domain.schema import StoredSchema
from mainspring.kernel.codec import digest_of
from mainspring.quality.judged import Judgement
from mainspring.quality.requests import Deliver, Delivery, GetSchema

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeResult:
    """What became of data that was handed in.

    `report` is None if the dataset has no schema. `is_new` is false if the very same was there already.
    `quarantine` holds the rows that were kept out of the version, if there were any.
    """

    version: DatasetVersion
    report: CheckReport | None
    is_new: bool
    quarantine: Quarantine | None = None

    @property
    def accepted(self) -> bool:
        return self.version.state is DatasetVersionState.ACCEPTED


def add_data(
    call: Call,
    blobs: BlobStore,
    dataset: str,
    source: "Path | pl.DataFrame",
    *,
    note: str = "",
    producer: str | None = None,
    seen: SeenFolders | None = None,
) -> IntakeResult:
    """Take in a file, folder or frame as the next version of a dataset.

    Data that fails its checks is kept as a refused version: the result says so, and nothing is raised. With `seen`,
    files that have not changed since they were added or checked out are not read again.
    Raises as `ingest` does for what can't be read, and whatever `call` raises.
    """
    if not isinstance(source, Path):
        taken = ingest_frame(blobs, source)
        return _delivered(call, blobs, dataset, taken, note=note, producer=producer)
    before = newest_version(call, dataset)
    manifest = take(blobs, source, seen, before)
    if (
        before is not None
        and before.manifest == digest_of(manifest)
        and not _has_schema(call, dataset)
    ):
        result = IntakeResult(version=before, report=None, is_new=False)
    else:
        taken = describe(blobs, manifest)
        result = _delivered(call, blobs, dataset, taken, note=note, producer=producer)
    if seen is not None:
        remember(seen, source, result.version)
    return result


def add_reference(
    call: Call, blobs: BlobStore, dataset: str, reference: Reference, *, note: str = ""
) -> IntakeResult:
    """Add a pinned reference as the next version of a dataset; read, profiled and checked like any other.

    Rows that checks keep apart make the version a copy of the others. Raises as `scan_reference` does.
    """
    taken = describe(blobs, put_reference(blobs, reference))
    return _delivered(call, blobs, dataset, taken, note=note, producer=None)


def _has_schema(call: Call, dataset: str) -> bool:
    return call(GetSchema(dataset=dataset)) is not None


def _delivered(
    call: Call,
    blobs: BlobStore,
    dataset: str,
    taken: Ingested,
    *,
    note: str,
    producer: str | None,
) -> IntakeResult:
    """Judge what was stored, and record it with the verdict."""
    stored: StoredSchema | None = call(GetSchema(dataset=dataset))
    judged = Judgement(taken=taken)
    if taken.is_table or stored is not None:
        # What looks at tables takes longer to import than files that are none take to store.
        from mainspring.quality.judgement import judgement_of

        judged = judgement_of(call, blobs, dataset, taken, stored)
    delivery: Delivery = call(
        Deliver(
            dataset=dataset,
            manifest=judged.taken.manifest,
            file_count=judged.taken.file_count,
            size_bytes=judged.taken.size_bytes,
            row_count=judged.taken.row_count,
            columns=judged.taken.columns,
            profile=judged.profile,
            report=judged.report,
            producer=producer,
            note=note,
            kept_apart=judged.apart,
        )
    )
    return IntakeResult(
        version=delivery.version,
        report=delivery.report.report if delivery.report else None,
        is_new=delivery.is_new,
        quarantine=delivery.quarantine,
    )
