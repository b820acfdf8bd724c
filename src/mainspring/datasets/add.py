"""Recording a version of a dataset."""

from mainspring.blobs.trees import read_manifest
from mainspring.datasets import queries, rules
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion, DatasetVersionId, DatasetVersionState
from mainspring.domain.event import DatasetVersionAdded, DatasetVersionRefused
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import NotFound
from mainspring.store.tx import Tx


def add_dataset_version(tx: Tx, request: AddDatasetVersion) -> DatasetVersion:
    """Record a version; the same content as the newest of its state gives that one back.

    Raises `NotFound` for a manifest or profile whose bytes are not stored.
    """
    version, is_new = record_version(tx, request)
    if is_new:
        announce(tx, version)
    return version


def record_version(tx: Tx, request: AddDatasetVersion) -> tuple[DatasetVersion, bool]:
    """The version and whether it is new, for use cases that announce it in their own words."""
    rules.check_addition(request)
    for digest in (request.manifest, request.profile):
        if digest is not None and not tx.blobs.exists(digest):
            raise NotFound(
                f"there are no bytes {digest}",
                code="blob_missing",
                hint="Store the files, then add the version.",
            )
    newest_accepted = queries.newest_version(tx, request.dataset, accepted_only=True)
    newest = queries.newest_version(tx, request.dataset, accepted_only=False)
    of_its_state = newest_accepted if request.state is DatasetVersionState.ACCEPTED else newest
    if of_its_state is not None and rules.is_same(of_its_state, request):
        return of_its_state, False
    refuse_missing_files(tx, request.manifest)
    if newest is None:
        queries.add_dataset(tx, request.dataset)
    version = DatasetVersion(
        id=DatasetVersionId(tx.new_id("dsv")),
        dataset=request.dataset,
        number=newest.number + 1 if newest else 1,
        manifest=request.manifest,
        state=request.state,
        file_count=request.file_count,
        size_bytes=request.size_bytes,
        row_count=request.row_count,
        columns=request.columns,
        profile=request.profile,
        parent=newest_accepted.id if newest_accepted else None,
        producer=request.producer,
        note=request.note,
        created_at=tx.now,
        created_by=str(tx.actor),
    )
    queries.add_version(tx, version)
    return version, True


def announce(
    tx: Tx, version: DatasetVersion, *, report: str = "", failed_checks: tuple[str, ...] = ()
) -> None:
    """Emit the event that tells of a new version, or of its refusal and what it failed."""
    if version.state is DatasetVersionState.ACCEPTED:
        tx.emit(
            DatasetVersionAdded(
                dataset=version.dataset,
                number=version.number,
                version=version.id,
                manifest=version.manifest,
                row_count=version.row_count,
                why=version.note,
            )
        )
        return
    failures = f"failed {', '.join(failed_checks)}" if failed_checks else "refused"
    tx.emit(
        DatasetVersionRefused(
            dataset=version.dataset,
            number=version.number,
            version=version.id,
            report=report,
            failed_checks=failed_checks,
            why=f"{version.note}: {failures}" if version.note else failures,
        )
    )


def refuse_missing_files(tx: Tx, manifest: Digest) -> None:
    """Raise `NotFound` unless every file that the manifest names is stored; a sweep spares them from now on."""
    named = {entry.digest: entry.path for entry in read_manifest(tx.blobs, manifest).entries}
    if missing := named.keys() - tx.blobs.touch(named):
        digest = min(missing, key=lambda each: named[each])
        raise NotFound(
            f"the manifest names {len(missing)} files that are not stored, {named[digest]} first ({digest})",
            code="blob_missing",
            hint="Store the files, then add the version.",
        )
