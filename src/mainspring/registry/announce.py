"""What changes in the registry, told to webhooks in MLflow's words.

A prompt is told of as one, not as the model that it is kept as.
"""

from mainspring.domain.model import PROMPT_TEXT_TAG, ModelVersion, RegisteredModel, is_prompt
from mainspring.store.tx import Tx
from mainspring.webhooks.notify import Data, notify


def model_made(tx: Tx, model: RegisteredModel) -> None:
    """A model or prompt was made."""
    event = "prompt.created" if is_prompt(model.tags) else "registered_model.created"
    notify(tx, event, {"name": model.name, "tags": model.tags, "description": model.description})


def version_made(tx: Tx, version: ModelVersion) -> None:
    """A version of a model or prompt was registered."""
    data: Data = {"name": version.model, "version": str(version.number)}
    rest: Data = {"tags": version.tags, "description": version.description}
    if is_prompt(version.tags):
        template = version.tags.get(PROMPT_TEXT_TAG)
        notify(tx, "prompt_version.created", data | {"template": template} | rest)
    else:
        where: Data = {"source": version.source, "run_id": version.run}
        notify(tx, "model_version.created", data | where | rest)


def model_tagged(tx: Tx, model: RegisteredModel, key: str, value: str | None) -> None:
    """A tag was set, or removed. MLflow tells of this for prompts only."""
    if is_prompt(model.tags):
        _tagged(tx, "prompt_tag", {"name": model.name}, key, value)


def version_tagged(tx: Tx, version: ModelVersion, key: str, value: str | None) -> None:
    """A version's tag was set, or removed."""
    entity = "prompt_version_tag" if is_prompt(version.tags) else "model_version_tag"
    _tagged(tx, entity, {"name": version.model, "version": str(version.number)}, key, value)


def alias_moved(tx: Tx, model: RegisteredModel, alias: str, number: int | None) -> None:
    """An alias points at another version, or is gone."""
    entity = "prompt_alias" if is_prompt(model.tags) else "model_version_alias"
    data: Data = {"name": model.name, "alias": alias}
    if number is None:
        notify(tx, f"{entity}.deleted", data)
    else:
        notify(tx, f"{entity}.created", data | {"version": str(number)})


def _tagged(tx: Tx, entity: str, data: Data, key: str, value: str | None) -> None:
    if value is None:
        notify(tx, f"{entity}.deleted", data | {"key": key})
    else:
        notify(tx, f"{entity}.set", data | {"key": key, "value": value})
