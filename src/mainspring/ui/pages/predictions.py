"""One prediction, traced to everything it came from."""

from mainspring.monitoring.trace import trace
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.pages.provenance import describe_code, describe_environment
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page


def predictions(reader: Reader, asked: Asked) -> Page | str:
    """Where to give a prediction's id."""
    if id_ := asked.get("id"):
        return links.to_prediction(id_)
    return Page(template="predictions.html", title="Predictions", section="predictions")


def prediction(reader: Reader, asked: Asked) -> Page:
    """The trace of one prediction."""
    id_ = asked.path["prediction"]
    blobs = reader.app.blobs
    found = trace(reader.ask, reader.app.settings.predictions_path, id_)
    return Page(
        template="prediction.html",
        title="Where a prediction comes from",
        section="predictions",
        context={
            "prediction": found.prediction,
            "lineage": found.lineage,
            "code": describe_code(blobs, found.lineage.project if found.lineage else None),
            "environment": describe_environment(
                blobs, found.lineage.environment if found.lineage else None
            ),
        },
    )
