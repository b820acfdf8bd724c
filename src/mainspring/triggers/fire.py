"""Asking for the run that is due: the decision, the run and what becomes of its causes are one transaction."""

from mainspring.datasets.read import get_dataset_version
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.trigger import (
    Cause,
    CauseKind,
    CauseState,
    Trigger,
    TriggerMode,
)
from mainspring.pipelines.request_run import ask_for_run
from mainspring.pipelines.requests import RequestRun
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.fitting import params_of, unfit
from mainspring.triggers.plan import Fire, decide
from mainspring.triggers.requests import FireTrigger, NoteTriggerError
from mainspring.triggers.state import seen_of, trigger_of

_TOLD = 3
# The newest version of each dataset that is read is among the newest so many.
_LOOKED_THROUGH = 1_000


def fire_trigger(tx: Tx, request: FireTrigger) -> PipelineRun | None:
    """Decide on what is so now: two that ask at once get one run. Raises what asking for the run raises.

    What no run can be made of is skipped instead, and the next look decides on what is left.
    """
    trigger = trigger_of(tx, request.name, locked=True)
    decision = decide(seen_of(tx, trigger), tx.now)
    if not isinstance(decision, Fire):
        return None
    first, last = decision.first, decision.last
    causes, count = queries.causes_between(tx, request.name, first, last, newest=_LOOKED_THROUGH)
    if reasons := unfit(tx, trigger, causes):
        for cause, reason in reasons.items():
            queries.skip(tx, cause, reason)
        return None
    run = ask_for_run(
        tx,
        _request_of(tx, trigger, causes, count),
        trigger=request.name,
        cause_count=count,
    )
    if trigger.spec.mode is TriggerMode.LATEST and first < last:
        queries.settle(tx, request.name, first, last - 1, run=run.id, state=CauseState.SUPERSEDED)
    queries.settle(tx, request.name, first, last, run=run.id, state=CauseState.RAN)
    if trigger.error is not None:
        queries.change(tx, request.name, error=None)
    return run


def note_trigger_error(tx: Tx, request: NoteTriggerError) -> None:
    """Keep it where `mainspring triggers` and the page show it."""
    trigger_of(tx, request.name, locked=True)
    queries.change(tx, request.name, error=request.error)


def _request_of(tx: Tx, trigger: Trigger, causes: list[Cause], count: int) -> RequestRun:
    spec = trigger.spec
    return RequestRun(
        pipeline=spec.pipeline,
        graph=trigger.graph,
        inputs=_inputs(tx, trigger, causes),
        params=params_of(trigger, causes[-1].values),
        project=trigger.project,
        environment=trigger.environment,
        why=why_of(trigger, causes, count),
        priority=spec.priority,
    )


def _inputs(tx: Tx, trigger: Trigger, causes: list[Cause]) -> dict[str, str]:
    """The version that a cause is about where it is about one, else the newest that was accepted."""
    told = {
        cause.values["dataset"]: cause.values["version"]
        for cause in causes
        if cause.kind is CauseKind.DATA
    }
    found = {}
    for parameter in trigger.graph.parameters:
        if parameter.is_dataset:
            name = trigger.spec.data.get(parameter.name, parameter.name)
            found[parameter.name] = (
                told[name]
                if name in told
                else get_dataset_version(tx, GetDatasetVersion(dataset=name)).id
            )
    return found


def why_of(trigger: Trigger, causes: list[Cause], count: int) -> str:
    """Why a run is asked for, in one sentence that names the newest causes."""
    if trigger.spec.mode is TriggerMode.LATEST and count > 1:
        told = f"{causes[-1].what} (before it {count - 1} more)"
    else:
        told = "; ".join(cause.what for cause in causes[-_TOLD:])
        told += f"; and {count - _TOLD} more" if count > _TOLD else ""
    return f"trigger {trigger.spec.name}: {told}"
