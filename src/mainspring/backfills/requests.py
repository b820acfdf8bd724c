"""What can be asked of backfills."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.backfill import Backfill, BackfillPart, PartState, Reprocess
from mainspring.domain.partition import MAX_PARTITIONS
from mainspring.domain.pipeline import Graph
from mainspring.domain.request import Request
from mainspring.kernel.digests import Digest
from mainspring.kernel.paging import Page


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Partitions by time: from the first to the last, both with it."""

    first: str
    last: str


class PreviewBackfill(Request[tuple[BackfillPart, ...]], frozen=True, kw_only=True):
    """Which partitions a backfill would run, and which it would skip, in its order; changes nothing.

    `span` or `partitions` names them; by keys and with neither all there are.
    """

    graph: Graph
    span: Span | None = None
    partitions: Annotated[tuple[str, ...], Meta(max_length=MAX_PARTITIONS)] = ()
    reprocess: Reprocess = Reprocess.MISSING
    newest_first: bool = False


class StartBackfill(Request[Backfill], frozen=True, kw_only=True):
    """Run a pipeline for many of its partitions, at most `concurrency` at a time, all on the same code and data.

    `inputs` binds dataset parameters to ids of accepted versions; `params` are those beside the partition. A
    partition that fails keeps no other from being run.
    """

    what: PreviewBackfill
    inputs: dict[str, str]
    project: Digest
    environment: Digest
    params: dict[str, object] = {}
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 1
    why: str = ""


class GetBackfill(Request[Backfill], frozen=True, kw_only=True):
    """One backfill, and how far it is."""

    backfill: str


class ListBackfills(Request[tuple[Backfill, ...]], frozen=True, kw_only=True):
    """Backfills, newest first; of one pipeline."""

    pipeline: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class ListBackfillParts(Request[Page[BackfillPart]], frozen=True, kw_only=True):
    """A backfill's partitions with their runs, in its order; those in one state."""

    backfill: str
    state: PartState | None = None
    page_token: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class PauseBackfill(Request[Backfill], frozen=True, kw_only=True):
    """Ask for no more runs; those that were asked for go on."""

    backfill: str


class ResumeBackfill(Request[Backfill], frozen=True, kw_only=True):
    """Ask for runs again."""

    backfill: str


class CancelBackfill(Request[Backfill], frozen=True, kw_only=True):
    """Ask for no more runs, for good, and cancel those that have not ended."""

    backfill: str


class DueBackfills(Request[tuple[str, ...]], frozen=True, kw_only=True):
    """Ids of backfills for which there is something to do."""


class AdvanceBackfill(Request[Backfill], frozen=True, kw_only=True):
    """Look at how a backfill's runs are, and ask for those that are due."""

    backfill: str
