"""An installation opened in this process: no server needed."""

from pathlib import Path
from typing import TypeVar

from mainspring.app import App, open_app
from mainspring.config import Settings, load_settings
from mainspring.domain.request import Request
from mainspring.sdk.client import Client

T = TypeVar("T")


class EmbeddedClient(Client):
    """Acts as the user who runs this process, on the home folder itself."""

    def __init__(self, settings: Settings) -> None:
        self._app = open_app(settings)
        self.blobs = self._app.blobs

    @property
    def settings(self) -> Settings:
        return self._app.settings

    @property
    def app(self) -> App:
        """The open installation."""
        return self._app

    def call(self, request: Request[T]) -> T:
        return self._app.call(request)

    def close(self) -> None:
        self._app.close()


def connect(home: str | Path | None = None, *, database: str | None = None) -> EmbeddedClient:
    """Open a home folder, making it if it is new; by default `MAINSPRING_HOME`, else `.mainspring` here.

    `database` puts the store into PostgreSQL. Any number of processes may have a home open at once.
    """
    return EmbeddedClient(load_settings(home=home, database=database))
