"""Finding things by id or name."""

from collections.abc import Callable
from dataclasses import dataclass

from mainspring.datasets.requests import GetDatasetVersionById, ListDatasets
from mainspring.kernel.errors import NotFound
from mainspring.monitoring.requests import GetIncident, ListIncidents
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.registry.requests import GetModelVersionById, ListModels
from mainspring.services.requests import ListServices
from mainspring.serving.log.ids import PREFIX as PREDICTION_PREFIX
from mainspring.traces.requests import GetTraces
from mainspring.tracking.requests import GetRun, ListExperiments
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_LIMIT = 60
_ID_LENGTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that was found."""

    kind: str
    name: str
    detail: str
    href: str


def search(reader: Reader, asked: Asked) -> Page | str:
    """Jump to an exact id or the only thing of a name; else list what the words are found in."""
    query = (asked.get("q") or "")[:300]
    if query and (target := by_id(reader, query)):
        return target
    hits = by_name(reader, query) if query else []
    exact = [hit for hit in hits if hit.name.lower() == query.lower()]
    for only in (exact, hits):
        if len(only) == 1:
            return only[0].href
    return Page(
        template="search.html",
        title=f"Search: {query}" if query else "Search",
        context={"query": query, "hits": hits[:_LIMIT], "count": len(hits)},
    )


def by_id(reader: Reader, id_: str) -> str | None:
    """The page of an id of any kind, or None."""
    if id_.startswith(PREDICTION_PREFIX):
        return links.to_prediction(id_)
    if len(id_) < _ID_LENGTH or not id_.replace("_", "").replace("-", "").isalnum():
        return None

    def version() -> str:
        found = reader.ask(GetModelVersionById(id=id_))
        return links.to_model(found.model, found.number)

    def dataset() -> str:
        found = reader.ask(GetDatasetVersionById(id=id_))
        return links.to_dataset(found.dataset, found.number)

    def trace() -> str:
        found = reader.ask(GetTraces(traces=(id_,)))
        if not found:
            raise NotFound(f"there is no trace {id_}")
        return links.to_trace(id_)

    ways: tuple[Callable[[], str], ...] = (
        lambda: links.to_run(reader.ask(GetRun(run=id_)).id),
        version,
        dataset,
        trace,
        lambda: links.to_incident(reader.ask(GetIncident(incident=id_)).id),
    )
    for way in ways:
        try:
            return way()
        except NotFound:
            continue
    return None


def by_name(reader: Reader, query: str) -> list[Hit]:
    """Everything whose name holds the words."""
    found = [
        Hit(
            kind="service",
            name=s.spec.name,
            detail=s.spec.pipeline,
            href=links.to_service(s.spec.name),
        )
        for s in reader.ask(ListServices())
    ]
    found += [
        Hit(
            kind="dataset",
            name=d.name,
            detail=f"{d.version_count} versions",
            href=links.to_dataset(d.name),
        )
        for d in reader.ask(ListDatasets())
    ]
    found += [
        Hit(
            kind="model",
            name=m.name,
            detail=f"{m.version_count} versions",
            href=links.to_model(m.name),
        )
        for m in reader.ask(ListModels())
    ]
    found += [
        Hit(
            kind="experiment",
            name=e.name,
            detail="tracked runs",
            href=links.with_query("/runs", kind="tracked", experiment=e.id),
        )
        for e in reader.ask(ListExperiments())
    ]
    found += [
        Hit(kind="incident", name=i.summary, detail=i.service, href=links.to_incident(i.id))
        for i in reader.ask(ListIncidents(limit=500))
    ]
    found += [
        Hit(kind="run", name=r.id, detail=f"{r.pipeline}: {r.state.value}", href=links.to_run(r.id))
        for r in reader.ask(ListPipelineRuns(limit=500))
    ]
    words = query.lower().split()
    return [hit for hit in found if all(word in f"{hit.name} {hit.kind}".lower() for word in words)]
