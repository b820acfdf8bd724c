"""Quarantines: rows that a delivery brought and its checks kept out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mainspring.domain.dataset import DatasetVersionId
from mainspring.kernel.digests import Digest

QuarantineId = NewType("QuarantineId", str)


class QuarantineState(StrEnum):
    HELD = "held"
    """Nobody has decided yet."""
    RELEASED = "released"
    """The rows were let in after all, in a version of their own."""
    DISCARDED = "discarded"
    """The rows stay out; they are kept to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """The rows that were kept out of one version, as a table with a column `reason`.

    `number` and `version` are of the version that the other rows became; `reasons` counts rows by what they
    failed.
    """

    id: QuarantineId
    dataset: str
    number: int
    version: DatasetVersionId
    manifest: Digest
    row_count: int
    reasons: dict[str, int]
    state: QuarantineState
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    released_in: DatasetVersionId | None = None
    note: str = ""
