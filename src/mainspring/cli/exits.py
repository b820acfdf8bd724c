"""How a command ends: one table from kinds of errors to exit codes, and how an error is said."""

import tempfile
import traceback
from pathlib import Path

import click

from mainspring.cli.plain import plain
from mainspring.kernel.errors import MainspringError

EXIT_CODES = {
    "invalid": 2,
    "not_found": 3,
    "conflict": 4,
    "denied": 5,
    "rejected": 6,
    "unavailable": 7,
    "corrupt": 8,
}
USAGE = 2
UNEXPECTED = 70
INTERRUPTED = 130


def exit_code_of(error: MainspringError) -> int:
    """The exit code that scripts can tell kinds of errors apart by."""
    return EXIT_CODES.get(error.kind, UNEXPECTED)


def say(error: MainspringError, *, as_json: bool) -> None:
    """Print an error on stderr: what happened, where, and what to do next."""
    if as_json:
        from mainspring.kernel.codec import encode_text

        fields = ("code", "kind", "message", "hint", "where")
        said = {name: getattr(error, name) for name in fields}
        body = {"error": {name: text and plain(text) for name, text in said.items()}}
        click.echo(encode_text(body), err=True)
        return
    place = f"{error.where}: " if error.where else ""
    click.echo(plain(f"error: {place}{error.message}"), err=True)
    if error.hint:
        click.echo(plain(f"  {error.hint}"), err=True)


def say_unexpected(error: BaseException, logs: Path | None) -> None:
    """Print one line with an id for an error that is our fault, and keep its traceback in a file."""
    import secrets

    error_id = secrets.token_hex(4)
    text = "".join(traceback.format_exception(error))
    path = _keep(error_id, text, logs)
    click.echo(
        f"error: this should not have happened: {type(error).__name__}: {error}\n"
        f"  Error {error_id}; its traceback is in {path}. Please report it.",
        err=True,
    )


def _keep(error_id: str, text: str, logs: Path | None) -> Path:
    # Only in a home that exists already: a mistyped --home should leave nothing behind.
    for folder in (logs, Path(tempfile.gettempdir())):
        if folder is None or not folder.parent.is_dir():
            continue
        try:
            folder.mkdir(exist_ok=True)
            path = folder / f"error-{error_id}.log"
            path.write_text(text)
        except OSError:
            continue
        return path
    return Path("/dev/null")
