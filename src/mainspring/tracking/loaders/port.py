"""What every loader gives, and how it says that its library is not installed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.blobs.trees import check_relative
from mainspring.kernel.errors import Invalid, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model of some library: `predict` takes a table of the kind `container`."""

    predict: Callable[[Any], Any]
    container: str


def data_file(folder: Path, settings: Mapping[str, Any], default: str) -> Path:
    """The file in which a flavor says its model is; raises `Invalid` if it is not in the folder."""
    relative = str(settings.get("data") or default)
    check_relative(relative)
    if not (folder / relative).is_file():
        raise Invalid(
            f"the model folder lacks its data file {relative[:200]!r}", code="model_incomplete"
        )
    return folder / relative


def missing(flavor: str, extra: str) -> Unavailable:
    """The error for a model whose library is not installed."""
    return Unavailable(
        f"a model of the flavor {flavor!r} needs a library that is not installed",
        code="flavor_not_installed",
        hint=f"Install it where models are served: pip install 'mainspring[{extra}]'.",
    )
