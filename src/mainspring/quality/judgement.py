"""Judging what was stored: its profile, its checks, and what they keep apart."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mainspring.blobs.port import BlobStore
from mainspring.datasets.folders import Call, newest_version
from mainspring.datasets.ingest import Ingested, ingest
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.datasets.tables import reading_clearly, scan
from mainspring.domain.check import CheckReport, CheckResult, Severity
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.schema import StoredSchema, TableSchema
from mainspring.kernel.digests import Digest
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import Checking, not_a_table
from mainspring.quality.custom.code import no_code, stored_code
from mainspring.quality.judged import Judgement
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import Profile, decode_profile, encode_profile
from mainspring.quality.requests import GetSchema, KeptApart
from mainspring.quality.schema_file import parse_schema

if TYPE_CHECKING:
    import polars as pl


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
        reference=newest_profile(call, blobs, dataset),
        code=stored_code(blobs, code) if code else no_code,
    )


def profile_of(blobs: BlobStore, version: DatasetVersion) -> Profile | None:
    """The profile that was made when a version was added; None for what is no table."""
    return None if version.profile is None else decode_profile(blobs.read(version.profile))


def other_tables(call: Call, blobs: BlobStore) -> "Callable[[str], pl.LazyFrame]":
    """Reads the newest accepted version of a dataset by its name."""
    return lambda name: scan(blobs, call(GetDatasetVersion(dataset=name)).manifest)


def judgement_of(
    call: Call, blobs: BlobStore, dataset: str, taken: Ingested, stored: StoredSchema | None
) -> Judgement:
    """Profile what was stored, and check it if there is a schema; the profile is stored too."""
    schema = None if stored is None else schema_of(stored)
    profile = profiled(blobs, taken, schema)
    judged = Judgement(taken=taken)
    if stored is not None and schema is not None:
        around = surroundings(call, blobs, dataset, code=stored.code)
        judged = judge(blobs, schema, taken, around.profiled(profile))
        if judged.taken is not taken:
            profile = profiled(blobs, judged.taken, schema)
    return replace(
        judged, profile=None if profile is None else blobs.put_bytes(encode_profile(profile))
    )


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


def profiled(blobs: BlobStore, taken: Ingested, schema: TableSchema | None) -> Profile | None:
    """The profile of what was stored, as far as its schema lets anyone see; None for what is no table."""
    if not taken.is_table:
        return None
    private = [c.name for c in schema.columns if c.private] if schema else ()
    return profile_table(scan(blobs, taken.manifest), private=private)


def newest_profile(call: Call, blobs: BlobStore, dataset: str) -> Profile | None:
    """The profile of the newest accepted version, if there is one."""
    newest = newest_version(call, dataset)
    return None if newest is None else profile_of(blobs, newest)
