"""Rows kept out of a version: recorded with it, listed, let in after all, or given up."""

from dataclasses import replace

from mainspring.datasets import queries as dataset_queries
from mainspring.datasets.add import announce, record_version
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.event import QuarantineDiscarded, QuarantineReleased, RowsQuarantined
from mainspring.domain.quarantine import Quarantine, QuarantineId, QuarantineState
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.quality import queries
from mainspring.quality.requests import (
    DiscardQuarantine,
    GetQuarantine,
    KeptApart,
    ListQuarantines,
    ReleaseQuarantine,
)
from mainspring.store.tx import Tx


def keep(tx: Tx, version: DatasetVersion, apart: KeptApart) -> Quarantine:
    """Record rows that were kept out of a version; the very same ones are not recorded again."""
    if not tx.blobs.exists(apart.manifest):
        raise NotFound(f"there are no bytes {apart.manifest}", code="blob_missing")
    if apart.row_count < 1:
        raise Invalid("a quarantine holds at least one row")
    there = queries.quarantine_of(tx, version.id, apart.manifest)
    if there is not None:
        return there
    kept = Quarantine(
        id=QuarantineId(tx.new_id("qua")),
        dataset=version.dataset,
        number=version.number,
        version=version.id,
        manifest=apart.manifest,
        row_count=apart.row_count,
        reasons=apart.reasons,
        state=QuarantineState.HELD,
        created_at=tx.now,
    )
    queries.add_quarantine(tx, kept)
    tx.emit(
        RowsQuarantined(
            dataset=kept.dataset,
            number=kept.number,
            version=kept.version,
            quarantine=kept.id,
            row_count=kept.row_count,
            why=", ".join(f"{name} ({count:,})" for name, count in kept.reasons.items()),
        )
    )
    return kept


def list_quarantines(tx: Tx, request: ListQuarantines) -> tuple[Quarantine, ...]:
    """Rows that were kept out, newest first."""
    return tuple(
        queries.quarantines_of(tx, request.dataset, state=request.state, limit=request.limit)
    )


def get_quarantine(tx: Tx, request: GetQuarantine) -> Quarantine:
    """One quarantine; raises `NotFound` for an unknown id."""
    found = queries.quarantine_by_id(tx, request.id)
    if found is None:
        raise NotFound(
            f"there is no quarantine {request.id!r}",
            hint="`mainspring quarantine list` shows them.",
        )
    return found


def release_quarantine(tx: Tx, request: ReleaseQuarantine) -> Quarantine:
    """Record the version that has the rows too; raises `Conflict` unless they are held and it is their turn."""
    held = _held(tx, request.id)
    newest = dataset_queries.newest_version(tx, held.dataset, accepted_only=True)
    if newest is None or newest.id != held.version:
        number = newest.number if newest else 0
        raise Conflict(
            f"the rows were kept out of version {held.number}, and version {number} has come since",
            code="quarantine_stale",
            hint="Have them delivered again, or discard them.",
        )
    if request.row_count != held.row_count + (newest.row_count or 0):
        raise Invalid(
            f"version {held.number} and its {held.row_count:,} quarantined rows make "
            f"{held.row_count + (newest.row_count or 0):,} rows, not {request.row_count:,}",
            code="other_rows",
        )
    version, _ = record_version(
        tx,
        AddDatasetVersion(
            dataset=held.dataset,
            manifest=request.manifest,
            file_count=request.file_count,
            size_bytes=request.size_bytes,
            row_count=request.row_count,
            columns=request.columns,
            profile=request.profile,
            note=request.note or f"with the rows of {held.id}",
        ),
    )
    announce(tx, version)
    return _decided(tx, held, QuarantineState.RELEASED, request.note, version)


def discard_quarantine(tx: Tx, request: DiscardQuarantine) -> Quarantine:
    """Decide that rows stay out; raises `Conflict` if it was decided before."""
    return _decided(tx, _held(tx, request.id), QuarantineState.DISCARDED, request.note, None)


def _held(tx: Tx, id_: str) -> Quarantine:
    found = get_quarantine(tx, GetQuarantine(id=id_))
    if found.state is not QuarantineState.HELD:
        raise Conflict(
            f"{found.id} was {found.state.value} already, by {found.decided_by}",
            code="quarantine_decided",
        )
    return found


def _decided(
    tx: Tx, held: Quarantine, state: QuarantineState, note: str, version: DatasetVersion | None
) -> Quarantine:
    decided = replace(
        held,
        state=state,
        decided_at=tx.now,
        decided_by=str(tx.actor),
        released_in=version.id if version else None,
        note=note,
    )
    queries.decide_quarantine(tx, decided)
    if version is None:
        tx.emit(
            QuarantineDiscarded(
                dataset=held.dataset, quarantine=held.id, row_count=held.row_count, why=note
            )
        )
    else:
        tx.emit(
            QuarantineReleased(
                dataset=held.dataset,
                quarantine=held.id,
                version=version.id,
                row_count=held.row_count,
                why=note,
            )
        )
    return decided
