"""XGBoost's models, from its own formats (UBJSON, JSON): boosters and its scikit-learn classes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.tracking.loaders.port import LoadedModel, data_file, missing

BOOSTER = "xgboost.core.Booster"
# A class is named by the folder, so only XGBoost's own are made of it.
_CLASSES = frozenset(
    {"XGBRegressor", "XGBClassifier", "XGBRanker", "XGBRFRegressor", "XGBRFClassifier"}
)


def load(folder: Path, settings: Mapping[str, Any]) -> LoadedModel:
    """A booster or one of XGBoost's scikit-learn classes; raises `Invalid` for another class."""
    try:
        import xgboost
    except ImportError as error:
        raise missing("xgboost", "xgboost") from error
    path = str(data_file(folder, settings, "model.ubj"))
    wanted = str(settings.get("model_class", BOOSTER))
    if wanted == BOOSTER:
        booster = xgboost.Booster()
        booster.load_model(path)
        return LoadedModel(predict=_of_booster(xgboost, booster), container="numpy")
    name = wanted.rpartition(".")[2]
    if wanted != f"xgboost.sklearn.{name}" or name not in _CLASSES:
        raise Invalid(f"{wanted[:200]!r} is no class of XGBoost's models", code="not_a_model")
    model = getattr(xgboost, name)()
    model.load_model(path)
    return LoadedModel(predict=_of_estimator(model), container="numpy")


def _of_booster(xgboost: Any, booster: Any) -> Callable[[Any], Any]:
    def predict(table: Any) -> Any:
        return booster.predict(xgboost.DMatrix(table, feature_names=booster.feature_names))

    return predict


def _of_estimator(model: Any) -> Callable[[Any], Any]:
    def predict(table: Any) -> Any:
        # Columns were put in the signature's order, so their names need not be looked at again.
        return model.predict(table, validate_features=False)

    return predict
