"""Backfills: runs of a pipeline for many of its partitions, as one thing that is watched and stopped."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mainspring.domain.run import RunId

BackfillId = NewType("BackfillId", str)


class Reprocess(StrEnum):
    """Which partitions are run again."""

    MISSING = "missing"
    """Those for which no run has succeeded."""
    FAILED = "failed"
    """Those whose newest run failed or was cancelled."""
    ALL = "all"


class BackfillState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"

    @property
    def is_over(self) -> bool:
        return self in (self.CANCELLED, self.FINISHED)


class PartState(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    """Its run was asked for and has not ended."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """It is as it should be already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPart:
    """One partition of a backfill, and its run; of one that is skipped the run that made it so."""

    partition: str
    state: PartState
    run: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What was asked for, and how far it is: `counts` tells how many partitions are in each state."""

    id: BackfillId
    pipeline: str
    reprocess: Reprocess
    concurrency: int
    state: BackfillState
    params: dict[str, object]
    inputs: dict[str, str]
    asked_at: datetime
    asked_by: str
    counts: dict[PartState, int]
    why: str = ""
    finished_at: datetime | None = None
