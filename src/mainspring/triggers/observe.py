"""What a loop saw on its own machine: files that arrived, branches that came to another commit."""

from collections.abc import Iterable
from pathlib import PurePath

from mainspring.domain.trigger import Cause, CauseKind, Source, Trigger
from mainspring.kernel.digests import digest_bytes
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.events import values_at
from mainspring.triggers.requests import FoundFile, ReportCommit, ReportFiles
from mainspring.triggers.state import trigger_of


def report_files(tx: Tx, request: ReportFiles) -> int:
    """Count those that came since the source was declared, each content of each once.

    A trigger that was paused since they were found keeps them waiting: whoever found them tells of them once.
    """
    trigger = trigger_of(tx, request.name, locked=True)
    source = _source(trigger, request.source)
    if source is None:
        return 0
    since = trigger.since[request.source]
    new = [file for file in request.files if file.changed_at >= since]
    return queries.add_causes(tx, list(_files(tx, trigger, new)))


def report_commit(tx: Tx, request: ReportCommit) -> bool:
    """Count a commit unless it is the first that is seen, or another has been told meanwhile."""
    trigger = trigger_of(tx, request.name, locked=True)
    source = _source(trigger, request.source)
    known = trigger.tips.get(request.source)
    if source is None or trigger.paused or known != request.previous or known == request.commit:
        return False
    queries.change(tx, request.name, tips={**trigger.tips, request.source: request.commit})
    if known is None:
        return False
    cause = Cause(
        id=0,
        trigger=request.name,
        kind=CauseKind.GIT,
        # A branch may come back to where it was, and that counts again.
        key=f"commit:{request.commit}:{tx.new_id('cau')}",
        at=tx.now,
        seen_at=tx.now,
        what=f"{source.detail} of {source.subject} came from {known[:10]} to {request.commit[:10]}",
        values={
            "repository": source.subject,
            "branch": source.detail,
            "commit": request.commit,
            **values_at(tx.now),
        },
    )
    return queries.add_causes(tx, [cause]) == 1


def _source(trigger: Trigger, text: str) -> Source | None:
    """The source of that text; None if it is declared no more."""
    return next((source for source in trigger.spec.on if str(source) == text), None)


def _files(tx: Tx, trigger: Trigger, found: Iterable[FoundFile]) -> Iterable[Cause]:
    for file in found:
        content = digest_bytes(f"{file.path}\0{file.size_bytes}\0{file.modified_ns}".encode())
        yield Cause(
            id=0,
            trigger=trigger.spec.name,
            kind=CauseKind.FILE,
            key=f"file:{content}",
            at=file.changed_at,
            seen_at=tx.now,
            what=f"{file.path} arrived",
            values={
                "path": file.path,
                "name": PurePath(file.path).name,
                **values_at(file.changed_at),
            },
        )
