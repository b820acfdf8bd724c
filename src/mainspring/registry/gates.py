"""Keeping what the gates said."""

from mainspring.domain.event import GatesEvaluated
from mainspring.domain.gate import GateOutcome, GateResult
from mainspring.domain.model import ModelVersion
from mainspring.kernel.errors import Conflict
from mainspring.registry import queries
from mainspring.registry.read import get_model_version_by_id
from mainspring.registry.requests import GetModelVersionById, RecordGateResults
from mainspring.registry.rules import passed
from mainspring.store.tx import Tx


def record_gate_results(tx: Tx, request: RecordGateResults) -> ModelVersion:
    """Keep results once; the same again change nothing, others raise `Conflict`."""
    by_id = GetModelVersionById(id=request.version)
    version = get_model_version_by_id(tx, by_id)
    if version.gate_results is not None:
        if version.gate_results == request.results:
            return version
        raise Conflict(
            f"version {version.number} of {version.model} was judged already",
            code="already_judged",
            hint="Results are never replaced; register another version.",
        )
    queries.record_gate_results(tx, version.id, request.results)
    tx.emit(
        GatesEvaluated(
            service=request.service,
            version=version.id,
            passed=passed(request.results),
            results=tuple(_in_words(result) for result in request.results),
            why=_why(request.results),
        )
    )
    return get_model_version_by_id(tx, by_id)


def _in_words(result: GateResult) -> str:
    return f"{result.gate.title} {result.outcome.value}: {result.detail}"


def _why(results: tuple[GateResult, ...]) -> str:
    if not results:
        return "no gates are declared"
    unmet = [r.gate.title for r in results if r.outcome is not GateOutcome.PASSED]
    return f"{', '.join(unmet)} not passed" if unmet else f"all {len(results)} gates passed"
