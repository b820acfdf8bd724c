"""LightGBM's boosters, from its own text format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.tracking.loaders.port import LoadedModel, data_file, missing

BOOSTER = "lightgbm.basic.Booster"


def is_native(settings: Mapping[str, Any]) -> bool:
    """Whether the model is in LightGBM's own format; its scikit-learn classes are saved like others."""
    return str(settings.get("model_class", BOOSTER)) == BOOSTER


def load(folder: Path, settings: Mapping[str, Any]) -> LoadedModel:
    """A booster; its answers are those of its objective (chances, for a classifier)."""
    try:
        import lightgbm
    except ImportError as error:
        raise missing("lightgbm", "lightgbm") from error
    booster = lightgbm.Booster(model_file=str(data_file(folder, settings, "model.lgb")))
    return LoadedModel(predict=booster.predict, container="numpy")
