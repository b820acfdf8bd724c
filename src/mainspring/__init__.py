"""Declare what a good model is; Mainspring keeps one in production.

`import mainspring as ms` gives what pipelines are written with. Everything is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.pipelines.authoring import Pipeline, Step, pipeline, step, wait, when
    from mainspring.pipelines.context import StepContext, current_step
    from mainspring.pipelines.dataset import Dataset
    from mainspring.pipelines.evaluate import evaluate
    from mainspring.pipelines.files import Files
    from mainspring.pipelines.models import Metrics, Model
    from mainspring.pipelines.workspace import workspace
    from mainspring.quality.custom.authoring import check

_HOMES = {
    "Dataset": "mainspring.pipelines.dataset",
    "Files": "mainspring.pipelines.files",
    "Metrics": "mainspring.pipelines.models",
    "Model": "mainspring.pipelines.models",
    "Pipeline": "mainspring.pipelines.authoring",
    "Step": "mainspring.pipelines.authoring",
    "StepContext": "mainspring.pipelines.context",
    "check": "mainspring.quality.custom.authoring",
    "connect": "mainspring.sdk.embedded",
    "current_step": "mainspring.pipelines.context",
    "evaluate": "mainspring.pipelines.evaluate",
    "pipeline": "mainspring.pipelines.authoring",
    "step": "mainspring.pipelines.authoring",
    "wait": "mainspring.pipelines.authoring",
    "when": "mainspring.pipelines.authoring",
    "workspace": "mainspring.pipelines.workspace",
}

__all__ = [
    "Dataset",
    "Files",
    "Metrics",
    "Model",
    "Pipeline",
    "Step",
    "StepContext",
    "check",
    "connect",
    "current_step",
    "evaluate",
    "pipeline",
    "step",
    "wait",
    "when",
    "workspace",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mainspring")
    if home := _HOMES.get(name):
        found = globals()[name] = getattr(import_module(home), name)
        return found
    raise AttributeError(f"module 'mainspring' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
