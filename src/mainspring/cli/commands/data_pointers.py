"""`mainspring data pointer`, `merge-driver` and `find`: which data a commit means, and where data is."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.datasets.pointers import Pointer

_ATTRIBUTES = "*.msdata merge=msdata"


@click.command()
@click.argument("dataset", required=False)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@click.option("--install", is_flag=True, help="Have git merge pointer files in this repository.")
@pass_session
def pointer(
    session: Session, /, dataset: str | None, file: Path | None, number: int | None, install: bool
) -> None:
    """Write a small text FILE that names a version of DATASET, for git to keep; DATASET.msdata unless given.

    `mainspring data checkout FILE` lays that version out, found by the digest of its bytes. With --install,
    git merges such files by what they name: the side that changed wins, and two that changed are a conflict.
    """
    from mainspring.datasets.pointers import pointer_to
    from mainspring.datasets.requests import GetDatasetVersion
    from mainspring.kernel.errors import Invalid

    if install:
        session.show({"installed": _ATTRIBUTES}, _installed(Path()))
    if dataset is None:
        if not install:
            raise Invalid("which dataset?", hint="Like: mainspring data pointer rides")
        return
    with session.client() as client:
        version = client.call(GetDatasetVersion(dataset=dataset, number=number))
    target = file or Path(f"{dataset}.msdata")
    named = pointer_to(version)
    is_changed = _write(target, named)
    if not install or not session.as_json:
        word = "names" if is_changed else "named already"
        session.show(named, [f"{target} {word} {dataset} {version.number}"])


@click.command(name="merge-driver", hidden=True)
@click.argument("base", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("ours", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("theirs", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("path", default="the pointer file")
@pass_session
def merge_driver(session: Session, /, base: Path, ours: Path, theirs: Path, path: str) -> None:
    """Merge two pointer files for git: the result goes to OURS, and a conflict ends with an exit code.

    `mainspring data pointer --install` has git call this.
    """
    from mainspring.datasets.pointers import merge
    from mainspring.kernel.errors import Conflict

    merged = merge(base.read_text(), ours.read_text(), theirs.read_text(), path)
    ours.write_text(merged.text)
    if merged.conflict is not None:
        raise Conflict(
            merged.conflict,
            code="pointer_conflict",
            hint=f"Choose one: git checkout --ours {path}, or --theirs; then git add {path}. Or add a version "
            "made of both, and point to that.",
        )


@click.command()
@click.argument("what")
@pass_session
def find(session: Session, /, what: str) -> None:
    """Find the versions that hold WHAT: a digest, a md5 or commit of what was taken over, or a git tag."""
    from mainspring.takeover.find import find_data

    with session.client() as client:
        session.show(find_data(client, what))


def _write(target: Path, named: "Pointer") -> bool:
    """Write a pointer file whole or not at all; False if it says the same already."""
    import os

    from mainspring.datasets.pointers import pointer_text, read_pointer
    from mainspring.kernel.errors import Conflict, Invalid, NotFound

    try:
        before = read_pointer(target)
    except NotFound:
        before = None
    except Conflict:
        # To write it anew is a choice.
        before = None
    if before is not None and before.dataset != named.dataset:
        raise Conflict(
            f"{target} names {before}",
            code="file_exists",
            hint=f"Give another file for {named.dataset}.",
        )
    if before == named:
        return False
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_text(pointer_text(named))
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Invalid(f"{target} can't be written: {error.strerror}") from error
    return True


def _installed(folder: Path) -> list[str]:
    """Tell git of the merge driver: for everyone by .gitattributes, for this clone by its settings."""
    import shlex
    import sys

    root = Path(_git(folder, "rev-parse", "--show-toplevel"))
    attributes = root / ".gitattributes"
    text = attributes.read_text() if attributes.exists() else ""
    if _ATTRIBUTES not in text.splitlines():
        gap = "" if not text or text.endswith("\n") else "\n"
        attributes.write_text(f"{text}{gap}{_ATTRIBUTES}\n")
    python = shlex.quote(sys.executable)
    driver = f"{python} -m mainspring.cli.main data merge-driver %O %A %B %P"
    _git(root, "config", "merge.msdata.name", "versions of Mainspring's datasets")
    _git(root, "config", "merge.msdata.driver", driver)
    return [
        f"{attributes}: {_ATTRIBUTES} (commit it)",
        "this clone's git settings: the merge driver (each clone needs --install once)",
    ]


def _git(folder: Path, *arguments: str) -> str:
    import subprocess

    from mainspring.kernel.errors import Invalid, NotFound

    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise NotFound("there is no `git` command here", code="no_git") from error
    if done.returncode:
        said = done.stderr.strip().removeprefix("fatal: ")
        raise Invalid(
            f"git says: {said[:300]}", code="not_git", hint="Run it inside a git repository."
        )
    return done.stdout.strip()
