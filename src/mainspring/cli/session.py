"""One command's session: its flags, the settings they give, and the installation it talks to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from mainspring.cli.plain import plain
from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from mainspring.app import App
    from mainspring.blobs.port import BlobStore
    from mainspring.config import Settings
    from mainspring.sdk.client import Client


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

    def client(self) -> "Client":
        """The installation: a server if `--url` names one, else the home folder opened here."""
        if self.settings.url:
            from mainspring.sdk.remote import RemoteClient

            return RemoteClient(self.settings.url, self.settings.token)
        from mainspring.sdk.embedded import EmbeddedClient

        return EmbeddedClient(self.settings)

    @contextmanager
    def bytes(self) -> "Iterator[BlobStore]":
        """Only the bytes of the installation, for commands that need no rows: nothing else is opened."""
        if self.settings.url:
            with self.client() as client:
                yield client.blobs
            return
        from mainspring.blobs.local import LocalBlobs

        yield LocalBlobs(self.settings.blobs_path)

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

            click.echo(encode_text(value))
            return
        if lines is None:
            from mainspring.cli.show import lines_of

            lines = lines_of(value)
        for line in lines:
            click.echo(plain(line))

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr, so that pipes get the result alone."""
        if not self.as_json:
            click.echo(plain(text), err=True)
