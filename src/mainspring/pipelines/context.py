"""What a step may know of the run that it is part of: `ms.current_step()`."""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROGRESS_FILE = "progress.json"
_LEAST_SECONDS = 0.2


@dataclass(slots=True, kw_only=True)
class StepContext:
    """The attempt that this process carries out; all of it empty when a step is called as a plain function.

    `idempotency_key` is the same for every attempt at the step in this run, and no other: give it to outside
    systems, so that an effect that is asked for twice happens once. `checkpoint` is a folder that outlives a
    failed or killed attempt on the same machine, until the run ends: what an attempt leaves there the next
    one finds.
    """

    run: str
    node: str
    attempt: int
    idempotency_key: str
    checkpoint: Path
    scratch: Path | None = None
    _told: float = 0.0

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show how far the step is, in the terminal and on the run's page; cheap to call often."""
        now = time.monotonic()
        if self.scratch is None or (now - self._told < _LEAST_SECONDS and done != total):
            return
        self._told = now
        part = self.scratch / f"{PROGRESS_FILE}.part"
        # Counts may be numpy's, which JSON doesn't know.
        told = {"done": float(done), "total": None if total is None else float(total), "text": text}
        part.write_text(json.dumps(told))
        os.replace(part, self.scratch / PROGRESS_FILE)


def progress_text(data: bytes) -> str:
    """What was told of the progress, in words.

    >>> progress_text(b'{"done": 5, "total": 20, "text": "trees"}')
    '5 of 20 (25%) trees'
    """
    told = json.loads(data)
    done, total = told["done"], told["total"]
    share = f" of {total:g} ({done / total:.0%})" if total else ""
    return f"{done:g}{share} {told['text']}".rstrip()


_current: StepContext | None = None


def begin(context: StepContext) -> None:
    """Say what this process carries out."""
    global _current  # noqa: PLW0603  # one process, one attempt
    _current = context


def current_step() -> StepContext:
    """What the step that calls this is part of; an empty one outside of runs."""
    if _current is not None:
        return _current
    context = StepContext(
        run="",
        node="",
        attempt=1,
        idempotency_key="",
        checkpoint=Path(tempfile.mkdtemp(prefix="mainspring-checkpoint-")),
    )
    begin(context)
    return context
