"""Answering one request: choose who answers, ask, fall back, log.

A candidate never fails a request: whatever goes wrong with it is logged as its failure, for the guards to
see, and the champion answers instead.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mainspring.domain.prediction import PredictionId
from mainspring.domain.signature import Signature
from mainspring.kernel.errors import Invalid, MainspringError, NotFound, Unavailable
from mainspring.serving.inputs import Rows, check_rows, event_times_of, keys_of
from mainspring.serving.jobs import Failed, Full, TimedOut
from mainspring.serving.log.ids import IdSource
from mainspring.serving.metrics import Metrics
from mainspring.serving.pool import Pool
from mainspring.serving.record import Part, Recorder, RecordLog
from mainspring.serving.runtime import Arms, Runtime
from mainspring.serving.split import goes_to_candidate

CHAMPION = "champion"
CANDIDATE = "candidate"
SHADOW = "shadow"

MAX_SHADOWS = 32
"""Copies that may be under way for one candidate; more are dropped and counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Input rows for a service as an edge decoded them, not checked yet.

    `keys` and `event_times` are a request's parameters: one value for all rows or a list with one each.
    `version` asks for one version by number. Unknown columns are an error unless `ignore_unknown`.
    """

    service: str
    columns: Mapping[str, list[Any]]
    count: int
    version: int | None = None
    request_id: str | None = None
    keys: object = None
    event_times: object = None
    ignore_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answers, in the order of the rows. `arms` and `numbers` say who gave each."""

    ids: list[PredictionId]
    outputs: list[Any]
    arms: list[str]
    numbers: list[int]
    signature: Signature | None


def nobody_answers(service: str, refusal: str | None) -> Unavailable:
    """The error for a service whose model is not there yet, or must not be loaded."""
    if refusal:
        return Unavailable(
            f"{service} is not answered: {refusal}",
            code="model_refused",
            hint="`mainspring model sign` signs a version; its public key is to be trusted here.",
        )
    return Unavailable(
        f"{service} has no model yet",
        code="no_model",
        hint="It answers as soon as its first model passed its gates.",
    )


class Answerer:
    """Answers requests by the runtime's snapshot. Belongs to one event loop."""

    def __init__(self, runtime: Runtime, log: RecordLog, metrics: Metrics) -> None:
        self._runtime = runtime
        self._log = log
        self._recorder = Recorder(log, metrics)
        self._metrics = metrics
        self._ids = IdSource()
        self._shadows: set[asyncio.Task[None]] = set()

    async def answer(self, question: Question) -> Reply:
        """Every row's answer, once the prediction log has it.

        Raises `NotFound` for an unknown service or version, `Invalid` for input that the model can't take,
        `Full`, `TimedOut` or `Failed` if nobody could answer.
        """
        started = time.perf_counter()
        arms = self._arms(question.service)
        ids = self._ids.take(question.count, time.time_ns() // 1_000_000)
        parts = self._parts(question, arms, ids)
        if len(parts) == 1:
            done = [await self._answer_part(question, arms, parts[0], started)]
        else:
            done = await asyncio.gather(
                *(self._answer_part(question, arms, part, started) for part in parts)
            )
        if arms.is_shadow and arms.candidate and question.version is None:
            self._copy_to_shadow(question, arms.candidate, arms.service)
        await self._log.kept()
        return _merged(done, question.count)

    async def settle(self) -> None:
        """Wait for copies to the shadow that are under way."""
        if self._shadows:
            await asyncio.wait(self._shadows, timeout=5.0)

    # Who answers.

    def _arms(self, service: str) -> Arms:
        arms = self._runtime.arms(service)
        if arms is None:
            raise NotFound(
                f"no service {service!r} is served here",
                code="unknown_service",
                hint="GET /v2/models lists those that are.",
            )
        return arms

    def _parts(self, question: Question, arms: Arms, ids: list[PredictionId]) -> list[Part]:
        if question.version is not None:
            found = arms.by_number(question.version)
            if found is None:
                raise NotFound(
                    f"{question.service} is not answered by version {question.version}",
                    code="unknown_version",
                )
            arm, pool = found
            return [Part(arm, pool, _checked(question, pool), ids)]
        champion, candidate = arms.champion, arms.candidate
        if champion is None:
            if candidate is None:
                raise nobody_answers(question.service, self._runtime.refusal(question.service))
            return [Part(CANDIDATE, candidate, _checked(question, candidate), ids)]
        rows = _checked(question, champion)
        if candidate is None or arms.is_shadow or arms.share <= 0:
            return [Part(CHAMPION, champion, rows, ids)]
        return self._split(question, arms, Part(CHAMPION, champion, rows, ids), candidate)

    def _split(self, question: Question, arms: Arms, whole: Part, candidate: Pool) -> list[Part]:
        """The champion's rows and the candidate's, by key; rows without a key go by the request's id."""
        rows, ids = whole.rows, whole.ids
        chosen: list[int] = []
        one = question.request_id or ids[0]
        if rows.keys is None:
            if goes_to_candidate(arms.salt, one, arms.share):
                chosen = list(range(rows.count))
        else:
            chosen = [
                place
                for place, key in enumerate(rows.keys)
                if goes_to_candidate(arms.salt, one if key is None else key, arms.share)
            ]
        if not chosen:
            return [whole]
        try:
            theirs = _checked(question, candidate)
        except Invalid as error:
            # It takes other inputs than the champion, which callers can't know of yet.
            self._recorder.record(
                Part(CANDIDATE, candidate, rows.pick(chosen), self._fresh_ids(len(chosen))),
                None,
                0.0,
                code=400,
                error=str(error),
            )
            self._metrics.fallbacks.labels(question.service).inc()
            return [whole]
        if len(chosen) == rows.count:
            return [Part(CANDIDATE, candidate, theirs, ids)]
        taken = set(chosen)
        rest = [place for place in range(rows.count) if place not in taken]
        return [
            Part(CHAMPION, whole.pool, rows.pick(rest), [ids[n] for n in rest], rest),
            Part(CANDIDATE, candidate, theirs.pick(chosen), [ids[n] for n in chosen], chosen),
        ]

    # Asking.

    async def _answer_part(
        self, question: Question, arms: Arms, part: Part, started: float
    ) -> tuple[Part, list[Any]]:
        """The part's answers, and who gave them in the end."""
        may_fall_back = (
            part.arm == CANDIDATE and arms.champion is not None and question.version is None
        )
        if not may_fall_back:
            return part, await self._ask(part, started)
        assert arms.champion is not None
        try:
            limit = part.pool.policy.timeout_seconds / 2
            return part, await self._ask(part, started, limit)
        except Unavailable:
            self._metrics.fallbacks.labels(question.service).inc()
        rows = _checked(question, arms.champion)
        if part.places is not None:
            rows = rows.pick(part.places)
        second = Part(CHAMPION, arms.champion, rows, self._fresh_ids(rows.count), part.places)
        return second, await self._ask(second, started)

    async def _ask(
        self, part: Part, started: float, timeout_seconds: float | None = None
    ) -> list[Any]:
        pool = part.pool
        try:
            if pool.failure and not pool.is_ready:
                raise Failed(
                    f"version {pool.version.number} of {pool.version.model} can't be loaded: "
                    f"{pool.failure}",
                    code="model_not_loaded",
                )
            outputs = await pool.predict(part.rows, timeout_seconds=timeout_seconds)
        except MainspringError as error:
            # A queue that is full is the caller's news, not the model's, unless it is the candidate's.
            if not isinstance(error, Full) or part.arm != CHAMPION:
                self._recorder.record(
                    part,
                    None,
                    time.perf_counter() - started,
                    code=status_of(error),
                    error=error.message,
                )
            raise
        self._recorder.record(part, outputs, time.perf_counter() - started)
        return outputs

    def _copy_to_shadow(self, question: Question, candidate: Pool, service: str) -> None:
        if len(self._shadows) >= MAX_SHADOWS:
            self._metrics.shadow_dropped.labels(service).inc()
            return
        task = asyncio.get_running_loop().create_task(self._ask_shadow(question, candidate))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _ask_shadow(self, question: Question, candidate: Pool) -> None:
        started = time.perf_counter()
        ids = self._fresh_ids(question.count)
        try:
            rows = _checked(question, candidate)
        except Invalid as error:
            rows = Rows(count=question.count, names=[], types=[], logged=[], sent=[])
            self._recorder.record(
                Part(SHADOW, candidate, rows, ids), None, 0.0, code=400, error=str(error)
            )
            return
        try:
            await self._ask(Part(SHADOW, candidate, rows, ids), started)
        except Unavailable:
            # It is in the log; nobody waits for this answer.
            return

    # Remembering.

    def _fresh_ids(self, count: int) -> list[PredictionId]:
        return self._ids.take(count, time.time_ns() // 1_000_000)


def status_of(error: MainspringError) -> int:
    """The HTTP status of an error on the prediction path."""
    match error:
        case Invalid():
            return 400
        case NotFound():
            return 404
        case Full():
            return 429
        case TimedOut():
            return 504
        case Failed():
            return 503 if error.code in ("model_not_loaded", "version_gone") else 500
        case Unavailable():
            return 503
    return 500


def _checked(question: Question, pool: Pool) -> Rows:
    rows = check_rows(
        pool.version.signature,
        question.columns,
        count=question.count,
        ignore_unknown=question.ignore_unknown,
    )
    if question.keys is not None or question.event_times is not None:
        rows = replace(
            rows,
            keys=keys_of(question.keys, rows.count) if question.keys is not None else rows.keys,
            event_at=(
                event_times_of(question.event_times, rows.count)
                if question.event_times is not None
                else rows.event_at
            ),
        )
    return rows


def _merged(parts: list[tuple[Part, list[Any]]], count: int) -> Reply:
    if len(parts) == 1:
        part, outputs = parts[0]
        return Reply(
            ids=part.ids,
            outputs=outputs,
            arms=[part.arm] * count,
            numbers=[part.pool.version.number] * count,
            signature=part.pool.version.signature,
        )
    rows: list[tuple[PredictionId, Any, str, int]] = [(PredictionId(""), None, "", 0)] * count
    for part, outputs in parts:
        number = part.pool.version.number
        for place, id_, output in zip(part.places or (), part.ids, outputs, strict=True):
            rows[place] = (id_, output, part.arm, number)
    ids, merged, arms, numbers = (list(column) for column in zip(*rows, strict=True))
    return Reply(
        ids=ids,
        outputs=merged,
        arms=arms,
        numbers=numbers,
        signature=parts[0][0].pool.version.signature,
    )
