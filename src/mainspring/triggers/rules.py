"""What a trigger may be declared to be. Pure."""

import re

from mainspring.domain.pipeline import Graph
from mainspring.domain.trigger import CauseKind, TriggerSpec, names_in
from mainspring.kernel.errors import Invalid
from mainspring.triggers.events import VALUES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
_ALWAYS = frozenset({"time", "day"})
_BODY = "body."


def check_spec(spec: TriggerSpec, graph: Graph) -> None:
    """Raise `Invalid` for a trigger that could never ask for a run of its pipeline."""
    where = f"trigger {spec.name}"
    if not _NAME.match(spec.name):
        raise Invalid(
            f"{spec.name[:120]!r} can't be the name of a trigger",
            hint="Use letters, digits, '_' and '-', at most 100 of them: it stands in URLs.",
        )
    if not spec.on and spec.max_staleness_seconds is None:
        raise Invalid(
            "it waits for nothing", where=where, hint="Say what it is `on`, or a max_staleness."
        )
    if spec.pipeline != graph.pipeline:
        raise Invalid(
            f"the pipeline is {spec.pipeline}, and the graph that of {graph.pipeline}", where=where
        )
    _check_numbers(spec, where)
    _check_bindings(spec, graph, where)
    _check_values(spec, where)


def _check_numbers(spec: TriggerSpec, where: str) -> None:
    for name in ("debounce_seconds", "cooldown_seconds"):
        if getattr(spec, name) < 0:
            raise Invalid(f"{name} is less than nothing", where=where)
    for name in ("concurrency", "budget_runs", "budget_seconds", "max_staleness_seconds"):
        value = getattr(spec, name)
        if value is not None and value <= 0:
            raise Invalid(f"{name} is {value:g}: no run could be asked for", where=where)


def _check_bindings(spec: TriggerSpec, graph: Graph, where: str) -> None:
    datasets = {each.name for each in graph.parameters if each.is_dataset}
    plain = {each.name for each in graph.parameters if not each.is_dataset}
    needed = {each.name for each in graph.parameters if not (each.is_dataset or each.has_default)}
    for name in sorted(set(spec.data) - datasets):
        raise Invalid(
            f"the pipeline {spec.pipeline} takes no data `{name}`",
            code="bad_binding",
            where=where,
            hint=f"Its datasets are: {', '.join(sorted(datasets)) or 'none'}.",
        )
    for name in sorted((set(spec.params) - plain) | (needed - set(spec.params))):
        raise Invalid(
            f"the pipeline {spec.pipeline} "
            + (f"needs the parameter `{name}`" if name in needed else f"has no parameter `{name}`"),
            code="bad_binding",
            where=where,
            hint=f"Its parameters are: {', '.join(sorted(plain)) or 'none'}.",
        )


def _check_values(spec: TriggerSpec, where: str) -> None:
    """Everything that a parameter asks for must be told by everything that may happen."""
    kinds = {source.kind for source in spec.on}
    if spec.max_staleness_seconds is not None:
        kinds.add(CauseKind.STALE)
    for name in sorted(names_in(dict(spec.params))):
        for kind in sorted(kinds):
            is_body = kind is CauseKind.WEBHOOK and name.startswith(_BODY)
            if name not in _ALWAYS | VALUES[kind] and not is_body:
                told = sorted(_ALWAYS | VALUES[kind])
                raise Invalid(
                    f"params ask for ${{{name}}}, which a {kind.value} doesn't tell",
                    code="no_such_value",
                    where=where,
                    hint=f"It tells: {', '.join(told)}."
                    + (f" And {_BODY}<field>." if kind is CauseKind.WEBHOOK else ""),
                )
