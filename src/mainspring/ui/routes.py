"""The addresses of all pages."""

from starlette.routing import BaseRoute, Route

from mainspring.app import App
from mainspring.ui import assets, theme
from mainspring.ui.answering import ActionFunction, PageFunction, action_endpoint, page_endpoint
from mainspring.ui.pages import (
    audit,
    dataset_diff,
    datasets,
    incidents,
    models,
    overview,
    predictions,
    run,
    runs,
    search,
    service,
    traces,
    triggers,
)

PAGES: dict[str, PageFunction] = {
    "/": overview.overview,
    "/services/{name}": service.service,
    "/runs": runs.runs,
    "/runs/{run}": run.run,
    "/triggers": triggers.triggers,
    "/triggers/{trigger}": triggers.trigger,
    "/traces": traces.traces,
    "/traces/{trace}": traces.trace,
    "/datasets": datasets.datasets,
    "/datasets/{dataset}": datasets.dataset,
    "/datasets/{dataset}/diff": dataset_diff.dataset_diff,
    "/datasets/{dataset}/{number}": datasets.dataset_version,
    "/models": models.models,
    "/models/{model}": models.model,
    "/models/{model}/{number}": models.model_version,
    "/incidents": incidents.incidents,
    "/incidents/{incident}": incidents.incident,
    "/predictions": predictions.predictions,
    "/predictions/{prediction}": predictions.prediction,
    "/audit": audit.audit,
    "/search": search.search,
}

ACTIONS: dict[str, ActionFunction] = {
    "/services/{name}/pause": service.pause,
    "/services/{name}/resume": service.resume,
    "/services/{name}/roll-back": service.roll_back,
    "/services/{name}/end-rollout": service.end_rollout,
    "/models/{model}/{number}/approval": models.approve,
    "/incidents/{incident}/close": incidents.close,
    "/runs/{run}/cancel": run.cancel,
    "/runs/{run}/decide": run.decide,
    "/triggers/{trigger}/pause": triggers.pause,
    "/triggers/{trigger}/resume": triggers.resume,
}


def routes(app: App) -> list[BaseRoute]:
    """Routes of the pages, their forms and their files; whoever mounts them puts the guard before them."""
    pages = [
        Route(path, page_endpoint(app, function), methods=["GET"])
        for path, function in PAGES.items()
    ]
    actions = [
        Route(path, action_endpoint(app, function), methods=["POST"])
        for path, function in ACTIONS.items()
    ]
    return [*pages, *actions, *assets.ROUTES, *theme.ROUTES]
