"""An installation opened in this process: no server needed."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mainspring.app import App, open_app
from mainspring.blobs.seen import SeenFolders
from mainspring.config import Settings, load_settings
from mainspring.domain.request import Request
from mainspring.sdk.client import Client

if TYPE_CHECKING:
    from mainspring.datasets.exchange import Exchanged, RemoteVersions

T = TypeVar("T")


class EmbeddedClient(Client):
    """Acts as the user who runs this process, on the home folder itself."""

    def __init__(self, settings: Settings) -> None:
        self._app = open_app(settings)
        self.blobs = self._app.blobs
        self.seen = SeenFolders(settings.seen_path)

    @property
    def settings(self) -> Settings:
        return self._app.settings

    @property
    def app(self) -> App:
        """The open installation."""
        return self._app

    def call(self, request: Request[T]) -> T:
        return self._app.call(request)

    def push(self, *datasets: str, remote: str | None = None) -> "Exchanged":
        """Send accepted versions of some datasets, or of all, to a remote; only what is missing there travels.

        Raises `NotFound` for an unknown remote, `Unavailable` or `Denied` as the remote answers.
        """
        from mainspring.datasets.exchange import accepted_versions

        return self._remote(remote).push(accepted_versions(self.call, datasets))

    def pull(self, *datasets: str, remote: str | None = None) -> "Exchanged":
        """Fetch versions of some datasets, or of all, that are not here; raises as `push` does."""
        return self._remote(remote).pull(list(datasets))

    def _remote(self, name: str | None) -> "RemoteVersions":
        from mainspring.datasets.exchange import remote_versions

        return remote_versions(self.call, self._app.blobs, name, self.settings.remotes_path)

    def close(self) -> None:
        self._app.close()


def connect(home: str | Path | None = None, *, database: str | None = None) -> EmbeddedClient:
    """Open a home folder, making it if it is new; by default `MAINSPRING_HOME`, else `.mainspring` here.

    `database` puts the store into PostgreSQL. Any number of processes may have a home open at once.
    """
    return EmbeddedClient(load_settings(home=home, database=database))
