"""Taking data in: stored, profiled, checked against the schema in force, and recorded with the verdict."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolders
from mainspring.datasets.folders import remember, take
from mainspring.datasets.ingest import Ingested, describe, ingest, ingest_frame
from mainspring.datasets.references import Reference, put_reference
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.datasets.tables import reading_clearly, scan
from mainspring.domain.check import CheckReport, CheckResult, Severity
from mainspring.domain.dataset import DatasetVersion, DatasetVersionState
from mainspring.domain.quarantine import Quarantine
from mainspring.domain.schema import StoredSchema, TableSchema
from mainspring.kernel.codec import digest_of
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import NotFound
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import Checking, not_a_table
from mainspring.quality.custom.code import no_code, stored_code
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import Profile, decode_profile, encode_profile
from mainspring.quality.requests import Deliver, Delivery, GetSchema, KeptApart
from mainspring.quality.schema_file import parse_schema

if TYPE_CHECKING:
    import polars as pl

Call = Callable[[Any], Any]
"""`App.call` or a client's; `Any`, since its answer's type comes from the request's."""


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
    before = _newest(call, dataset)
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
    schema, report, apart, profile = None, None, None, None
    if stored is not None:
        schema = schema_of(stored)
        profile = _profiled(blobs, taken, schema)
        around = surroundings(call, blobs, dataset, code=stored.code)
        judged = judge(blobs, schema, taken, around.profiled(profile))
        if judged.taken is not taken:
            profile = None
        taken, report, apart = judged.taken, judged.report, judged.apart
    profile = profile or _profiled(blobs, taken, schema)
    delivery: Delivery = call(
        Deliver(
            dataset=dataset,
            manifest=taken.manifest,
            file_count=taken.file_count,
            size_bytes=taken.size_bytes,
            row_count=taken.row_count,
            columns=taken.columns,
            profile=None if profile is None else blobs.put_bytes(encode_profile(profile)),
            report=report,
            producer=producer,
            note=note,
            kept_apart=apart,
        )
    )
    return IntakeResult(
        version=delivery.version,
        report=delivery.report.report if delivery.report else None,
        is_new=delivery.is_new,
        quarantine=delivery.quarantine,
    )


def schema_in_force(call: Call, dataset: str) -> TableSchema | None:
    """The schema that new versions of a dataset are checked against, if there is one."""
    stored = call(GetSchema(dataset=dataset))
    return None if stored is None else schema_of(stored)


def schema_of(stored: StoredSchema) -> TableSchema:
    """A stored schema, read; errors say which one it is."""
    name = f"{stored.dataset}.schema.toml, number {stored.number}"
    return parse_schema(stored.toml, name=name)


def surroundings(
    call: Call, blobs: BlobStore, dataset: str, *, code: Digest | None = None
) -> Surroundings:
    """What expectations may look at beyond a delivery: other datasets, and the version before it.

    `code` is the stored code of the schema's own checks.
    """
    return Surroundings(
        other=other_tables(call, blobs),
        reference=_newest_profile(call, blobs, dataset),
        code=stored_code(blobs, code) if code else no_code,
    )


def profile_of(blobs: BlobStore, version: DatasetVersion) -> Profile | None:
    """The profile that was made when a version was added; None for what is no table."""
    return None if version.profile is None else decode_profile(blobs.read(version.profile))


def other_tables(call: Call, blobs: BlobStore) -> "Callable[[str], pl.LazyFrame]":
    """Reads the newest accepted version of a dataset by its name."""
    return lambda name: scan(blobs, call(GetDatasetVersion(dataset=name)).manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A delivery as its checks leave it: what of it may come in, the report, and what was kept apart."""

    taken: Ingested
    report: CheckReport
    apart: KeptApart | None = None


def judge(
    blobs: BlobStore, schema: TableSchema, taken: Ingested, around: Surroundings
) -> Judgement:
    """Check what was stored; rows that fail checks that keep single rows out are stored apart."""
    if not taken.is_table:
        return Judgement(taken=taken, report=not_a_table(schema))
    checking = Checking(schema, scan(blobs, taken.manifest), around=around)
    report = checking.report()
    if report.passed and report.quarantined_row_count == report.row_count > 0:
        report = replace(report, results=(*report.results, _nothing_left(report)))
    split = checking.split() if report.passed else None
    if split is None:
        return Judgement(taken=taken, report=report)
    good, bad = (store_frame(blobs, frame) for frame in split)
    reasons = Counter(
        reason
        for (text,) in split[1].select(split[1].collect_schema().names()[-1]).collect().iter_rows()
        for reason in text.split("; ")
    )
    apart = KeptApart(
        manifest=bad.manifest, row_count=bad.row_count or 0, reasons=dict(reasons.most_common())
    )
    return Judgement(taken=good, report=report, apart=apart)


def store_frame(blobs: BlobStore, frame: "pl.LazyFrame") -> Ingested:
    """Store what a query gives as a table, in memory that does not grow with its rows."""
    with TemporaryDirectory(prefix="mainspring-") as folder:
        path = Path(folder) / "data.parquet"
        with reading_clearly():
            frame.sink_parquet(path, row_group_size=131_072)
        return ingest(blobs, path)


def _nothing_left(report: CheckReport) -> CheckResult:
    return CheckResult(
        check="quarantine",
        column=None,
        severity=Severity.BLOCK,
        passed=False,
        observed=f"all {report.row_count:,} rows would be kept apart",
        expected="some rows that pass",
        failed_row_count=report.row_count,
    )


def _profiled(blobs: BlobStore, taken: Ingested, schema: TableSchema | None) -> Profile | None:
    if not taken.is_table:
        return None
    private = [c.name for c in schema.columns if c.private] if schema else ()
    return profile_table(scan(blobs, taken.manifest), private=private)


def _newest_profile(call: Call, blobs: BlobStore, dataset: str) -> Profile | None:
    newest = _newest(call, dataset)
    return None if newest is None else profile_of(blobs, newest)


def _newest(call: Call, dataset: str) -> DatasetVersion | None:
    """The newest accepted version, if there is one."""
    try:
        newest: DatasetVersion = call(GetDatasetVersion(dataset=dataset))
    except NotFound:
        return None
    return newest
