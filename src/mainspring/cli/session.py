"""One command's session: its flags, the settings they give, and the installation it talks to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from mainspring.app import App
    from mainspring.config import Settings
    from mainspring.domain.request import Request

T = TypeVar("T")


class Client(Protocol):
    """An installation, in this process or behind a URL."""

    def call(self, request: "Request[T]") -> T: ...


@dataclass
class Session:
    """What the global flags said. Made by the root command; the settings are read when first needed."""

    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def as_json(self) -> bool:
        return bool(self.flags.get("json"))

    @cached_property
    def settings(self) -> "Settings":
        from mainspring.config import load_settings

        given = {name: value for name, value in self.flags.items() if name != "json"}
        return load_settings(**given)

    @property
    def logs(self) -> "Path | None":
        """Where tracebacks go; None if the flags are so wrong that there are no settings."""
        try:
            return self.settings.logs_path
        except Invalid:
            return None

    @contextmanager
    def client(self) -> Iterator[Client]:
        """The installation: a server if `--url` names one, else the home folder opened here."""
        if self.settings.url:
            from mainspring.sdk.remote import RemoteClient

            with RemoteClient(self.settings.url, self.settings.token) as remote:
                yield remote
        else:
            with self.app() as app:
                yield app

    @contextmanager
    def app(self) -> Iterator["App"]:
        """The home folder opened in this process; raises `Invalid` if `--url` asks for a server."""
        if self.settings.url:
            raise Invalid(
                "this command works on a home folder, and --url names a server",
                hint="Run it on the machine that has the home, with --home.",
            )
        from mainspring.app import opened_app

        with opened_app(self.settings) as app:
            yield app

    def show(self, value: object, lines: "Iterator[str] | list[str] | None" = None) -> None:
        """Print a result: as JSON if asked for, else the lines given, else as a table."""
        if self.as_json:
            from mainspring.kernel.codec import encode_text

            print(encode_text(value))
            return
        if lines is None:
            from mainspring.cli.show import lines_of

            lines = lines_of(value)
        for line in lines:
            print(line)

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr, so that pipes get the result alone."""
        if not self.as_json:
            print(text, file=sys.stderr)
