"""What can be asked of pipelines."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.pipeline import (
    CacheEntry,
    Graph,
    Limit,
    LogLine,
    PipelineRun,
    PipelineRunState,
    StepAttempt,
    StepReason,
    StepState,
    StoredValue,
    Wait,
)
from mainspring.domain.request import Request
from mainspring.kernel.digests import Digest

Priority = Annotated[int, Meta(ge=-1000, le=1000)]
LeaseSeconds = Annotated[float, Meta(gt=0, le=3600)]


class RequestRun(Request[PipelineRun], frozen=True, kw_only=True):
    """Ask for a run of a pipeline; a worker takes it from there.

    `inputs` binds each dataset parameter to the id of an accepted version. `project` (a manifest) and
    `environment` (a blob) must have been stored before. It also makes the tracked run of the same id, in
    the experiment named after the service or pipeline. With `only_if_idle`, raises `Conflict` (code
    `run_under_way`) while another run of the service is under way. The steps `kept` (ids of nodes) take the
    results that they had in the run `parent`, and are not run again. Of the steps that are found in the cache
    the share `verify_cache` is run all the same, and the results are compared. Workers take runs of a higher
    `priority` first.
    """

    pipeline: str
    graph: Graph
    inputs: dict[str, str]
    project: Digest
    environment: Digest
    params: dict[str, object] = {}
    service: str | None = None
    why: str = ""
    only_if_idle: bool = False
    parent: str | None = None
    kept: tuple[str, ...] = ()
    verify_cache: Annotated[float, Meta(ge=0, le=1)] = 0.0
    priority: Priority = 0


class BeginRun(Request[PipelineRun], frozen=True, kw_only=True):
    """Ask for a run once, by a key of the caller's own; with `scheduler`, hand its steps on to another scheduler.

    Asked again with the same key it gives the same run; if that failed or was cancelled, a new one that goes on
    from it, on its own code, data and parameters. A run that is handed on is taken by no worker: the scheduler
    has its steps run one by one, each by `TakeStep`, unless it gives no sign of life for six hours.
    """

    asked: RequestRun
    key: Annotated[str, Meta(min_length=1, max_length=500)]
    scheduler: Annotated[str, Meta(max_length=100)] = ""


class GetPipelineRun(Request[PipelineRun], frozen=True, kw_only=True):
    """One run, with its state."""

    run: str


class ListPipelineRuns(Request[tuple[PipelineRun, ...]], frozen=True, kw_only=True):
    """Runs, newest first; of one service, or in one state."""

    service: str | None = None
    state: PipelineRunState | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class ListSteps(Request[tuple[StepAttempt, ...]], frozen=True, kw_only=True):
    """Every attempt at every step of a run, in the order they began."""

    run: str


class ReadLogs(Request[tuple[LogLine, ...]], frozen=True, kw_only=True):
    """Lines that a run's steps printed, in order; those after the line with the id `after`.

    With `newest` the last `limit` of them, else the first.
    """

    run: str
    node: str | None = None
    attempt: int | None = None
    after: int = 0
    newest: bool = False
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000


class CancelRun(Request[PipelineRun], frozen=True, kw_only=True):
    """Ask a run to stop. It ends as cancelled soon after, or at once if nobody works on it."""

    run: str


class RunLease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to work on a run: shown with every report about it.

    With `step`, on that step only, or that one item of a mapped step; `step_fence` proves it.
    """

    run: str
    holder: str
    fence: int
    step: str | None = None
    step_fence: int = 0

    def covers(self, node: str) -> bool:
        """Whether attempts at a step, or at one item of a mapped one, may be reported under it."""
        return self.step in (None, node) or node.startswith(f"{self.step}[")


class FindWork(Request[tuple[str, ...]], frozen=True, kw_only=True):
    """Ids of runs that the worker `holder` may take now, the longest waiting first.

    A run that a worker of the same name holds is among them: see `TakeRun`. `run` asks about one run only.
    """

    holder: str = ""
    run: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 10


class TakeRun(Request[RunLease | None], frozen=True, kw_only=True):
    """Take a run that waits, or whose worker's lease ran out; None if there is none.

    A run that a worker of the same name holds is taken from it at once: whoever gives the name away sees to
    it that only one worker at a time goes by it, so the other must be dead.
    """

    holder: str
    lease_seconds: LeaseSeconds = 30.0
    run: str | None = None


class TakeStep(Request[RunLease | None], frozen=True, kw_only=True):
    """Take one step of a run that was handed on, or one item of a mapped step; None while another process has it.

    What its last process was at counts as interrupted. None too while a worker has the whole run, because the
    scheduler gave no sign of life. Raises `Conflict` for a run that is over or was not handed on.
    """

    run: str
    step: str
    holder: str
    lease_seconds: LeaseSeconds = 30.0


class RenewRunLease(Request[PipelineRun], frozen=True, kw_only=True):
    """Keep the lease, and see whether the run should stop. Raises `Conflict` (`lease_lost`) if it is gone."""

    lease: RunLease
    lease_seconds: LeaseSeconds = 30.0


class ReleaseRun(Request[None], frozen=True, kw_only=True):
    """Give a lease up without ending the run, so that another worker can go on with it at once."""

    lease: RunLease


class StartStep(Request[StepAttempt], frozen=True, kw_only=True):
    """Record that an attempt at a step begins; its number is one more than the last.

    Raises `Conflict` (`step_under_way`) while another run computes what has the same cache key.
    """

    lease: RunLease
    node: str
    cache_key: Digest | None = None
    warning: str | None = None


class FinishStep(Request[StepAttempt], frozen=True, kw_only=True):
    """Record how an attempt ended; with outputs (whose bytes are stored) if it succeeded.

    `cache_components` are the parts of its cache key; given, the outputs are kept in the cache too. A step
    that took no process has no start and is recorded whole, under the next number: one that was found in the
    cache, was skipped (`warning` says why), or only puts together what others gave. `warning` also says what
    came of comparing with a result in the cache.
    """

    lease: RunLease
    node: str
    attempt: int
    state: StepState
    outputs: tuple[StoredValue, ...] = ()
    error: str | None = None
    cache_components: dict[str, str] | None = None
    cache_key: Digest | None = None
    cached_from: str | None = None
    warning: str | None = None


class FindCached(Request[CacheEntry | None], frozen=True, kw_only=True):
    """What is kept under a cache key; None if nothing is, or its bytes are gone."""

    key: Digest


class ListCached(Request[tuple[CacheEntry, ...]], frozen=True, kw_only=True):
    """What is kept in the cache for a step (`module:qualified_name`), newest first."""

    step: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class ExplainRun(Request[tuple[StepReason, ...]], frozen=True, kw_only=True):
    """Why each step of a run was run again or not: what of its cache key had changed; or of one step only."""

    run: str
    node: str | None = None


class LookAtWait(Request[Wait], frozen=True, kw_only=True):
    """Begin to wait at a node of a held run, or see whether what it waits for is there.

    One that was decided, or whose time has come, need not be looked at again: its step is to be ended.
    """

    lease: RunLease
    node: str


class ListWaits(Request[tuple[Wait, ...]], frozen=True, kw_only=True):
    """What runs wait for, the longest first; of one run also what it waited for."""

    run: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class DecideWait(Request[Wait], frozen=True, kw_only=True):
    """Say yes or no to a run that waits for an approval; the same answer again changes nothing.

    `step` may be left out if it waits for one approval only. Raises `Conflict` (`already_decided`) if it was
    decided otherwise, or nobody waits any more.
    """

    run: str
    step: str | None = None
    approved: bool = True
    note: Annotated[str, Meta(max_length=10_000)] = ""


class ParkRun(Request[bool], frozen=True, kw_only=True):
    """Give up a run that has nothing to do but to wait; False if there is something to do by now.

    It is taken again once what it waits for is there.
    """

    lease: RunLease


class SetLimit(Request[Limit], frozen=True, kw_only=True):
    """Limit the steps that use something: how many are under way at once, and how many begin within a span.

    It holds over all runs and workers, from the next step on. A step says `uses="NAME"`.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    at_once: Annotated[int, Meta(ge=0)] | None = None
    starts: Annotated[int, Meta(ge=0)] | None = None
    per_seconds: Annotated[float, Meta(gt=0)] = 60.0


class ListLimits(Request[tuple[Limit, ...]], frozen=True, kw_only=True):
    """Every limit, by name."""


class RemoveLimit(Request[None], frozen=True, kw_only=True):
    """Remove a limit; what uses that name is not held up any more."""

    name: str


class FinishRun(Request[PipelineRun], frozen=True, kw_only=True):
    """Record how a run ended, and give its lease up."""

    lease: RunLease
    state: PipelineRunState
    outputs: tuple[StoredValue, ...] = ()
    metrics: dict[str, float] = {}
    error: str | None = None


class AppendLogs(Request[None], frozen=True, kw_only=True):
    """Keep lines that steps printed; a line that is there already is left as it is."""

    run: str
    lines: tuple[LogLine, ...]
