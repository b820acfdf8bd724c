"""Giving the parameters of a pipeline their values. Pure."""

from collections.abc import Mapping

from mainspring.domain.pipeline import Graph
from mainspring.kernel.errors import Invalid


def bound_params(graph: Graph, given: Mapping[str, object]) -> dict[str, object]:
    """The values of all plain parameters, defaults included; raises `Invalid` for one too many or too few."""
    known = {p.name: p for p in graph.parameters if not p.is_dataset}
    if unknown := sorted(set(given) - set(known)):
        raise Invalid(
            f"the pipeline {graph.pipeline} has no parameter {unknown[0]!r}",
            code="unknown_parameter",
            hint=f"Its parameters: {', '.join(known) or 'none'}.",
        )
    if missing := [name for name, p in known.items() if not p.has_default and name not in given]:
        raise Invalid(
            f"the parameter {missing[0]!r} of {graph.pipeline} has no value",
            code="missing_parameter",
            hint="Give it, or give it a default in the pipeline's code.",
        )
    return {name: given.get(name, p.default) for name, p in known.items()}
