"""Applying a declaration."""

from mainspring.domain.event import ServiceApplied
from mainspring.domain.service import Service
from mainspring.kernel.codec import digest_of
from mainspring.kernel.errors import NotFound
from mainspring.services import queries
from mainspring.services.requests import ApplyService
from mainspring.services.translate import check_name
from mainspring.store.tx import Tx


def apply_service(tx: Tx, request: ApplyService) -> Service:
    """Store a declaration; the same declaration with the same code changes nothing."""
    check_name(request.spec.name, "$.spec.name")
    for digest in (request.project, request.environment):
        if not tx.blobs.exists(digest):
            raise NotFound(
                f"there are no bytes {digest}", code="blob_missing", hint="Store them, then apply."
            )
    digest = digest_of(request.spec)
    before = queries.service(tx, request.spec.name)
    wanted = (digest, request.project, request.environment)
    if before and (before.digest, before.project, before.environment) == wanted:
        return before
    service = Service(
        spec=request.spec,
        digest=digest,
        project=request.project,
        environment=request.environment,
        applied_at=tx.now,
        applied_by=str(tx.actor),
        paused=before.paused if before else False,
    )
    queries.save(tx, service, is_new=before is None)
    tx.emit(
        ServiceApplied(
            service=request.spec.name,
            name=request.spec.name,
            digest=digest,
            project=request.project,
            why=_what_changed(before, service),
        )
    )
    return service


def _what_changed(before: Service | None, after: Service) -> str:
    if before is None:
        return "declared for the first time"
    parts = [
        word
        for word, changed in (
            ("declaration", before.digest != after.digest),
            ("code", before.project != after.project),
            ("environment", before.environment != after.environment),
        )
        if changed
    ]
    return f"its {' and '.join(parts)} changed"
