"""Settings: one frozen value, built once and passed down. No other module reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.durations import parse_duration
from mainspring.kernel.errors import Invalid

DEFAULT_HOME = ".mainspring"
_LEAST_TOKEN_LENGTH = 16
_LEAST_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this installation is set up; each field is also `MAINSPRING_<FIELD>` and a flag.

    home: folder with the store, the blobs and the prediction log.
    database: SQLAlchemy URL of the store; empty means SQLite inside the home.
    host, port: where the API and the pages listen.
    serving_port: where predictions are answered.
    public_url: where clients reach this server, as `https://ml.example.org`; large files then go in parts.
    url: a running server; when set, commands talk to it instead of opening the home.
    token: what such commands show to it.
    serving_token: what callers must show to the predictor, 16 characters or more; empty means nothing.
    trusted_keys: folder with the public keys whose model signatures count; empty means `<home>/trusted-keys`.
    model_trust: what models may bring into worker processes: `pickle`, `code`, both, or `none`.
    webhook_networks: networks, apart by commas, that webhooks may reach although they are not public.
    keep_predictions: how long answers stay in the prediction log, such as `180d`; empty means for ever.
    """

    home: Path
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 5000
    serving_port: int = 5001
    public_url: str = ""
    url: str = ""
    token: str = ""
    serving_token: str = ""
    trusted_keys: str = ""
    model_trust: str = "pickle,code"
    webhook_networks: str = ""
    keep_predictions: str = ""

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.home / 'store.sqlite3'}"

    @property
    def blobs_path(self) -> Path:
        return self.home / "blobs"

    @property
    def trusted_keys_path(self) -> Path:
        """Public keys, one a file, named after who holds the other half."""
        if not self.trusted_keys:
            return self.home / "trusted-keys"
        return Path(self.trusted_keys).expanduser().absolute()

    @property
    def predictions_path(self) -> Path:
        return self.home / "predictions"

    @property
    def work_path(self) -> Path:
        """Scratch space: code snapshots, step folders, sockets. Safe to delete when nothing runs."""
        return self.home / "work"

    @property
    def seen_path(self) -> Path:
        """What folders looked like that versions came from; of each server apart. Safe to delete."""
        folder = self.home / "seen"
        return folder / digest_bytes(self.url.encode())[7:23] if self.url else folder

    @property
    def remotes_path(self) -> Path:
        """What of remotes never changes, kept so that it travels once. Safe to delete."""
        return self.home / "remotes"

    @property
    def logs_path(self) -> Path:
        return self.home / "logs"

    @property
    def predictions_kept_for(self) -> timedelta | None:
        """How long answers stay in the prediction log; None means for ever."""
        return parse_duration(self.keep_predictions) if self.keep_predictions else None

    @property
    def is_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")


def load_settings(
    environment: Mapping[str, str] | None = None, **flags: str | int | Path | None
) -> Settings:
    """Defaults, then `MAINSPRING_*` variables, then flags that are not None; raises `Invalid`."""
    environment = os.environ if environment is None else environment
    given: dict[str, str | int | Path] = {}
    for field in Settings.__dataclass_fields__:
        if value := environment.get(f"MAINSPRING_{field.upper()}"):
            given[field] = value
        flag = flags.get(field)
        if flag is not None:
            given[field] = flag
    home = Path(str(given.pop("home", DEFAULT_HOME))).expanduser().absolute()
    ports = {
        name: _port(name, given.pop(name)) for name in ("port", "serving_port") if name in given
    }
    _check_kept(str(given.get("keep_predictions", "")))
    _check_token(str(given.get("serving_token", "")))
    _check_public_url(str(given.get("public_url", "")))
    return Settings(home=home, **ports, **{name: str(value) for name, value in given.items()})  # type: ignore[arg-type]  # names and types were just checked


def _port(name: str, value: str | int | Path) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise Invalid(f"{name} is {str(value)!r}", hint="A port is a number from 0 to 65535.")
    return port


def _check_token(text: str) -> None:
    if text and (len(text) < _LEAST_TOKEN_LENGTH or not text.isascii() or " " in text):
        raise Invalid(
            f"serving_token is no good: it takes {_LEAST_TOKEN_LENGTH} or more ASCII characters, no spaces",
            hint="Make one with `openssl rand -hex 24`.",
        )


def _check_public_url(text: str) -> None:
    parts = urlsplit(text)
    is_plain = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    if text and not (is_plain and not parts.query and not parts.fragment):
        raise Invalid(
            f"public_url is {text[:200]!r}",
            hint="Write where clients reach this server, such as https://ml.example.org.",
        )


def _check_kept(text: str) -> None:
    if text and parse_duration(text) < _LEAST_KEPT:
        raise Invalid(
            f"keep_predictions is {text!r}, which is less than a day",
            hint="Segments of the log hold an hour each and are removed whole; write 1d or more.",
        )


def wants_tracebacks(environment: Mapping[str, str] | None = None) -> bool:
    """Whether MAINSPRING_DEBUG asks for tracebacks instead of messages."""
    environment = os.environ if environment is None else environment
    return environment.get("MAINSPRING_DEBUG", "") not in ("", "0")
