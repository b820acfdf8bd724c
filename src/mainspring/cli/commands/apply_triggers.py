"""The triggers of a declaration, as `mainspring apply` puts them in force."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mainspring.kernel.errors import NotFound

if TYPE_CHECKING:
    from mainspring.config import Settings
    from mainspring.domain.trigger import Trigger, TriggerSpec
    from mainspring.kernel.digests import Digest
    from mainspring.sdk.client import Client
    from mainspring.triggers.requests import ApplyTrigger


def requests_for(
    client: "Client",
    settings: "Settings",
    specs: tuple["TriggerSpec", ...],
    project: "Digest",
    environment: "Digest",
) -> list["ApplyTrigger"]:
    """What to ask for; raises `Invalid` for a trigger that could never ask for a run of its pipeline."""
    from mainspring.pipelines.graphs import graph_of
    from mainspring.triggers.requests import ApplyTrigger
    from mainspring.triggers.rules import check_spec

    found = []
    for spec in specs:
        graph = graph_of(client.blobs, settings, project, spec.pipeline)
        check_spec(spec, graph)
        found.append(ApplyTrigger(spec=spec, graph=graph, project=project, environment=environment))
    return found


def parts_changed(client: "Client", request: "ApplyTrigger") -> tuple[str, ...] | None:
    """What differs from what is in force; None if there is no such trigger yet."""
    from mainspring.triggers.requests import GetTrigger

    try:
        before = client.call(GetTrigger(name=request.spec.name)).trigger
    except NotFound:
        return None
    return tuple(_differing(before, request))


def _differing(before: "Trigger", request: "ApplyTrigger") -> Iterator[str]:
    for name in type(request.spec).__dataclass_fields__:
        if getattr(before.spec, name) != getattr(request.spec, name):
            yield name
    if (before.project, before.graph) != (request.project, request.graph):
        yield "code"
    if before.environment != request.environment:
        yield "environment"
