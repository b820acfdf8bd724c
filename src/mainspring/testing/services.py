"""Factories of services, references and log records: each makes one valid thing and takes what differs."""

from datetime import UTC, datetime
from typing import Any

from mainspring.app import App
from mainspring.domain.data_type import DataType
from mainspring.domain.evaluation import FeatureReference, Reference
from mainspring.domain.model import ModelVersionId
from mainspring.domain.prediction import Label, Prediction, PredictionId
from mainspring.domain.service import Service, ServiceSpec
from mainspring.services.requests import ApplyService

START = datetime(2026, 1, 1, tzinfo=UTC)
VERSION = ModelVersionId("mv_1")


def a_spec(name: str = "demand", **differing: Any) -> ServiceSpec:
    """A declaration with every policy at its default."""
    values: dict[str, Any] = {
        "pipeline": "flow:demand",
        "model": name,
        "data": {"rides": "rides"},
        **differing,
    }
    return ServiceSpec(name=name, **values)


def a_service(
    app: App, name: str = "demand", *, project: bytes = b"{}", **differing: Any
) -> Service:
    """A declared service; `project` stands for its code."""
    return app.call(
        ApplyService(
            spec=a_spec(name, **differing),
            project=app.blobs.put_bytes(project),
            environment=app.blobs.put_bytes(b"python"),
        )
    )


def a_reference(**differing: Any) -> Reference:
    """One numeric feature in four equal bins, whose errors grow with it; predictions in four bins."""
    values: dict[str, Any] = {
        "row_count": 4000,
        "features": (
            FeatureReference(
                name="temp",
                type=DataType.FLOAT,
                edges=(10.0, 20.0, 30.0),
                counts=(1000, 1000, 1000, 1000, 0),
                abs_errors=(100.0, 200.0, 300.0, 1000.0, 0.0),
                error_counts=(100, 100, 100, 100, 0),
            ),
        ),
        "prediction": FeatureReference(
            name="prediction",
            type=DataType.FLOAT,
            edges=(10.0, 20.0, 30.0),
            counts=(100, 100, 100, 100, 0),
        ),
        "mae": 4.0,
        "rmse": 5.0,
        **differing,
    }
    return Reference(**values)


def a_prediction(number: int, **differing: Any) -> Prediction:
    """An answer of the champion; its number makes its id and key."""
    values: dict[str, Any] = {
        "service": "demand",
        "version": VERSION,
        "arm": "champion",
        "key": f"key-{number}",
        "at": START,
        "event_at": START,
        "inputs": {"temp": 5.0 + 10 * (number % 4)},
        "output": 5.0 + 10 * (number % 4),
        "latency_ms": 1.0,
        "code": 200,
        **differing,
    }
    return Prediction(id=PredictionId(f"prd_{number}"), **values)


def a_label(number: int, value: float | str | bool, **differing: Any) -> Label:
    """What turned out to be true for the prediction of that number, by its key."""
    values: dict[str, Any] = {"service": "demand", "key": f"key-{number}", "at": START, **differing}
    return Label(value=value, **values)
