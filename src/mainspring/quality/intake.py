"""Taking data in: stored, profiled, checked against the schema in force, and recorded with the verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.port import BlobStore
from mainspring.datasets.ingest import Ingested, ingest, ingest_frame
from mainspring.datasets.tables import scan
from mainspring.domain.check import CheckReport
from mainspring.domain.dataset import DatasetVersion, DatasetVersionState
from mainspring.domain.schema import TableSchema
from mainspring.quality.checks import check_table, not_a_table
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import encode_profile
from mainspring.quality.requests import Deliver, Delivery, GetSchema
from mainspring.quality.schema_file import parse_schema

if TYPE_CHECKING:
    import polars as pl

Call = Callable[[Any], Any]
"""`App.call` or a client's; `Any`, since its answer's type comes from the request's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeResult:
    """What became of data that was handed in.

    `report` is None if the dataset has no schema. `is_new` is false if the very same was there already.
    """

    version: DatasetVersion
    report: CheckReport | None
    is_new: bool

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
) -> IntakeResult:
    """Take in a file, folder or frame as the next version of a dataset.

    Data that fails its checks is kept as a refused version: the result says so, and nothing is raised.
    Raises as `ingest` does for what can't be read, and whatever `call` raises.
    """
    taken = ingest(blobs, source) if isinstance(source, Path) else ingest_frame(blobs, source)
    schema = schema_in_force(call, dataset)
    profile = None
    if taken.is_table:
        profile = blobs.put_bytes(encode_profile(profile_table(scan(blobs, taken.manifest))))
    delivery: Delivery = call(
        Deliver(
            dataset=dataset,
            manifest=taken.manifest,
            file_count=taken.file_count,
            size_bytes=taken.size_bytes,
            row_count=taken.row_count,
            columns=taken.columns,
            profile=profile,
            report=None if schema is None else _judge(blobs, schema, taken),
            producer=producer,
            note=note,
        )
    )
    return IntakeResult(
        version=delivery.version,
        report=delivery.report.report if delivery.report else None,
        is_new=delivery.is_new,
    )


def schema_in_force(call: Call, dataset: str) -> TableSchema | None:
    """The schema that new versions of a dataset are checked against, if there is one."""
    stored = call(GetSchema(dataset=dataset))
    if stored is None:
        return None
    return parse_schema(stored.toml, name=f"{dataset}.schema.toml, number {stored.number}")


def _judge(blobs: BlobStore, schema: TableSchema, taken: Ingested) -> CheckReport:
    if not taken.is_table:
        return not_a_table(schema)
    return check_table(schema, scan(blobs, taken.manifest))
