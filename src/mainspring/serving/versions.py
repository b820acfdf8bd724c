"""Model versions as the registry knows them."""

from mainspring.domain.model import ModelVersion
from mainspring.registry.read import get_model_version_by_id
from mainspring.registry.requests import GetModelVersionById
from mainspring.store.tx import Tx


def version_by_id(tx: Tx, id_: str) -> ModelVersion:
    """The version of that id; raises `NotFound`."""
    return get_model_version_by_id(tx, GetModelVersionById(id=id_))
