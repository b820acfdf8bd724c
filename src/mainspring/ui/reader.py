"""What a page reads with: operations in its reader's name, each answer asked for once."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from mainspring.app import App
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.actor import Permission
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.model import ModelVersion
from mainspring.domain.request import Request
from mainspring.governance.rules import may
from mainspring.kernel.errors import NotFound
from mainspring.registry.requests import GetModelVersionById

T = TypeVar("T")


@dataclass(slots=True)
class Reader:
    """One reading of the installation for one page; `app` acts as the person who looks."""

    app: App
    now: datetime
    _versions: dict[str, ModelVersion | None] = field(default_factory=dict)
    _datasets: dict[str, DatasetVersion | None] = field(default_factory=dict)

    def ask(self, request: Request[T]) -> T:
        """Carry out a request in the reader's name."""
        return self.app.call(request)

    def may(self, permission: Permission) -> bool:
        """Whether the reader could do that: pages offer nothing that would be refused."""
        return may(self.app.actor, permission)

    def version(self, id_: str | None) -> ModelVersion | None:
        """A model version by id; None if it is gone."""
        if id_ is None:
            return None
        if id_ not in self._versions:
            try:
                self._versions[id_] = self.ask(GetModelVersionById(id=id_))
            except NotFound:
                self._versions[id_] = None
        return self._versions[id_]

    def dataset_version(self, id_: str | None) -> DatasetVersion | None:
        """A dataset version by id; None if it is gone."""
        if id_ is None:
            return None
        if id_ not in self._datasets:
            try:
                self._datasets[id_] = self.ask(GetDatasetVersionById(id=id_))
            except NotFound:
                self._datasets[id_] = None
        return self._datasets[id_]
