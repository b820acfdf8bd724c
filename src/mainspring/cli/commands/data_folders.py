"""`mainspring data checkout|status`: versions as files on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.datasets.folders import FolderStatus

_LISTED = 20


@click.command()
@click.argument("dataset")
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only these files; a path, a folder, or a pattern with * and **. May be given again.",
)
@click.option("--force", is_flag=True, help="Give up files in TARGET that are stored nowhere.")
@pass_session
def checkout(
    session: Session,
    /,
    *,
    dataset: str,
    target: Path | None,
    number: int | None,
    only: tuple[str, ...],
    force: bool,
) -> None:
    """Write a version's files to the folder TARGET, every byte verified.

    DATASET may also be a pointer file; TARGET is then the folder beside it, unless given.

    A new folder appears whole or not at all. One that holds another version is made this one: files whose
    bytes are stored are replaced or removed, others are never touched.
    """
    from mainspring.blobs.seen import SeenFolders
    from mainspring.datasets.checkout import checkout as lay_out
    from mainspring.datasets.pointed import target_asked, version_asked

    folder = target_asked(dataset, target)
    with session.client() as client:
        version = version_asked(client, dataset, number)
        written = lay_out(
            client.blobs,
            version,
            folder,
            only=only,
            force=force,
            seen=SeenFolders(session.settings.seen_path),
        )
    what = f"{', '.join(only) + ' of ' if only else ''}{version.dataset} version {version.number}"
    session.show(
        version,
        [f"{what} is in {folder}" if written else f"{what} was in {folder} already"],
    )


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@pass_session
def status(session: Session, /, path: Path | None) -> None:
    """Say how a file or folder differs from the version it was added as or checked out from.

    Without PATH, for all that are known on this machine. Only files that changed since are read.
    Exit code 1 if anything differs.
    """
    from mainspring.blobs.seen import SeenFolders
    from mainspring.datasets.folders import status as compare

    seen = SeenFolders(session.settings.seen_path)
    roots = [path] if path is not None else [Path(e.root) for e in seen.all() if e.manifest]
    with session.bytes() as blobs:
        found = [
            compare(blobs, root, seen) for root in roots if path is not None or _is_there(root)
        ]
    lines = [line for each in found for line in _lines(each)]
    session.show(found, lines or ["no folder of this machine is known to hold a version"])
    if not all(each.is_clean for each in found):
        raise click.exceptions.Exit(1)


def _is_there(root: Path) -> bool:
    try:
        return root.exists()
    except OSError:  # it lies where one may not look
        return False


def _lines(status: "FolderStatus") -> list[str]:
    head = f"{status.root}: {status.dataset} version {status.number}, {status.file_count:,} files"
    if status.is_clean:
        return [f"{head}, unchanged"]
    marked = [
        *(("+", name) for name in status.added),
        *(("~", name) for name in status.changed),
        *(("-", name) for name in status.removed),
    ]
    lines = [f"  {mark} {name!r}" if "\n" in name else f"  {mark} {name}" for mark, name in marked]
    if len(lines) > _LISTED:
        lines = [*lines[:_LISTED], f"  and {len(marked) - _LISTED:,} more"]
    return [head, *lines]
