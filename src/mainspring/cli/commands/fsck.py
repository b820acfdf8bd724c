"""`mainspring fsck`: is everything there, and is it what was stored?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.cli.bytes_in_use import Problem
    from mainspring.domain.audit import AuditVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was looked at, and everything that was wrong."""

    blob_count: int
    size_bytes: int
    needed_count: int
    problems: "tuple[Problem, ...]"
    damaged_packs: tuple[str, ...]
    """Packs whose list of what they hold is damaged; what they hold is found by reading them."""
    damaged_segments: dict[str, int]
    """Segments of the prediction log with the number of bytes in each that can't be read."""
    audit: "AuditVerdict"

    @property
    def is_sound(self) -> bool:
        return (
            not self.problems
            and not self.damaged_packs
            and not self.damaged_segments
            and self.audit.intact
        )


@click.command()
@pass_session
def fsck(session: Session, /) -> None:
    """Read every stored byte, follow every reference in the store, and walk the audit chain.

    Changes nothing. Exit code 8 if anything is damaged or missing.
    """
    from mainspring.kernel.errors import Corrupt

    with session.app() as app:
        verdict = examine(app)
    lines = [
        f"{verdict.blob_count:,} blobs, {verdict.size_bytes:,} bytes read; "
        f"{verdict.needed_count:,} needed by rows"
    ]
    for problem in verdict.problems:
        needed = f", needed by {problem.needed_by}" if problem.needed_by else ", needed by no row"
        lines.append(f"  {problem.what}: {problem.digest}{needed}")
    lines += [
        f"  damaged: the index of {name}; `mainspring data verify --repair` makes it anew"
        for name in verdict.damaged_packs
    ]
    lines += [
        f"  damaged: {path}, {size:,} bytes of the prediction log can't be read"
        for path, size in verdict.damaged_segments.items()
    ]
    audit = verdict.audit
    lines.append(
        f"audit: {audit.entry_count:,} entries, {audit.event_count:,} events, "
        + ("intact" if audit.intact else f"BROKEN at entry {audit.broken_at}: {audit.problem}")
    )
    session.show(verdict, lines)
    if not verdict.is_sound:
        raise Corrupt(
            "the home is damaged; the lines above say what",
            code="damaged",
            hint="`mainspring data verify --repair` fetches data from a remote; restore other files from a backup, "
            "or make what they held again.",
        )


def examine(app: "App") -> Verdict:
    """Look at everything in a home."""
    from mainspring.cli.bytes_in_use import Problem, walk
    from mainspring.governance.requests import VerifyAudit
    from mainspring.kernel.errors import Corrupt, NotFound

    found = walk(app)
    known = {problem.digest for problem in found.problems}
    count = size = 0
    problems = list(found.problems)
    for digest in app.blobs.digests():
        count += 1
        try:
            size += app.blobs.size_bytes(digest)
            app.blobs.verify(digest)
        except Corrupt:
            if digest not in known:
                needed_by = found.needed.get(digest) or found.pieces.get(digest)
                problems.append(Problem(digest=digest, what="damaged", needed_by=needed_by))
        except NotFound:
            continue  # swept since it was listed
    return Verdict(
        blob_count=count,
        size_bytes=size,
        needed_count=len(found.needed),
        problems=tuple(problems),
        damaged_packs=tuple(each.path.name for each in app.blobs.containers if each.is_rescued),
        damaged_segments=_damaged_segments(app.settings.predictions_path),
        audit=app.call(VerifyAudit()),
    )


def _damaged_segments(root: Path) -> dict[str, int]:
    from mainspring.serving.log import reader

    paths = (path for name in reader.services(root) for path in reader.segments(root, name))
    sizes = {str(path.relative_to(root)): reader.damaged_bytes(path) for path in paths}
    return {path: size for path, size in sizes.items() if size}
