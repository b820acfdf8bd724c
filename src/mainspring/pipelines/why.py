"""Why the steps of a run were run again, or were not."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mainspring.domain.pipeline import CacheEntry, KeyChange, StepAttempt, StepReason, StepState
from mainspring.kernel.errors import NotFound
from mainspring.pipelines import queries
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import ExplainRun, ListCached
from mainspring.store.tx import Tx

# How far back to look for what a result would have been found again by.
_LOOK_BACK = 1000


def explain_run(tx: Tx, request: ExplainRun) -> tuple[StepReason, ...]:
    """Compares the key of each step with the most alike key that the same step had before.

    Raises `NotFound` for an unknown run, or a step that it has not begun.
    """
    run = run_of(tx, request.run)
    newest: dict[str, StepAttempt] = {}
    for attempt in queries.steps_of(tx, run.id):
        if request.node is None or attempt.node == request.node:
            newest[attempt.node] = attempt
    if request.node is not None and not newest:
        raise NotFound(
            f"run {run.id} has begun no step {request.node!r}",
            code="no_such_step",
            hint=f"`mainspring run steps {run.id}` shows its steps.",
        )
    earlier: dict[str, list[CacheEntry]] = {}
    return tuple(_reason(tx, attempt, earlier) for attempt in newest.values())


def list_cached(tx: Tx, request: ListCached) -> tuple[CacheEntry, ...]:
    """What is kept for a step, newest first."""
    return tuple(queries.cache_entries_of(tx, request.step, limit=request.limit))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[KeyChange, ...]:
    """The parts in which two cache keys differ, by name.

    >>> changes({"value:x": "1", "format": "1"}, {"value:x": "2", "format": "1"})
    (KeyChange(part='value:x', before='1', after='2'),)
    """
    return tuple(
        KeyChange(part=part, before=before.get(part), after=after.get(part))
        for part in sorted(before.keys() | after.keys())
        if before.get(part) != after.get(part)
    )


def nearest(entries: Iterable[CacheEntry], components: Mapping[str, str]) -> CacheEntry | None:
    """The entry whose key differs in the fewest parts; of equals the first."""
    return min(entries, key=lambda e: len(changes(e.components, components)), default=None)


def _reason(tx: Tx, attempt: StepAttempt, earlier: dict[str, list[CacheEntry]]) -> StepReason:
    reason = StepReason(
        node=attempt.node,
        state=attempt.state,
        detail=attempt.warning,
        compared_with=attempt.cached_from,
    )
    if attempt.state is StepState.CACHED or attempt.cache_key is None:
        return reason
    entry = queries.cache_entry(tx, attempt.cache_key)
    if entry is None:
        return reason
    if entry.step not in earlier:
        earlier[entry.step] = queries.cache_entries_of(
            tx, entry.step, until=attempt.started_at, other_than=attempt.run, limit=_LOOK_BACK
        )
    before = nearest(earlier[entry.step], entry.components)
    if before is None:
        return replace(reason, is_first=True)
    found = changes(before.components, entry.components)
    return replace(reason, compared_with=before.run, changes=found)
