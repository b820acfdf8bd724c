"""`mainspring data push|pull|verify`: versions on remotes, and whether what is here is sound."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.datasets.exchange import Exchanged, RemoteVersions
    from mainspring.domain.dataset import DatasetVersion
    from mainspring.kernel.digests import Digest

_remote = click.option(
    "--remote", metavar="NAME", help="Which remote.  [default: the only one, or `origin`]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file of a version whose bytes are damaged or missing."""

    dataset: str
    number: int
    path: str
    digest: "Digest"
    what: str
    repaired: bool


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@click.option("--number", type=int, help="Only this version.  [default: all accepted ones]")
@_remote
@pass_session
def push(
    session: Session, /, datasets: tuple[str, ...], number: int | None, remote: str | None
) -> None:
    """Send versions to a remote; only what it does not have travels.

    All datasets, unless some are named. Stopped anywhere, the same command goes on from there.
    """
    if number is not None and len(datasets) != 1:
        raise click.UsageError("--number goes with one dataset.")
    from mainspring.datasets.exchange import accepted_versions

    with session.app() as app:
        if number is None:
            versions = accepted_versions(app.call, datasets)
        else:
            versions = [each for each in _versions(app, datasets[0]) if each.number == number]
        done = _on(app, remote).push(versions)
    session.show(done, _lines(done, "sent to"))


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@_remote
@pass_session
def pull(session: Session, /, datasets: tuple[str, ...], remote: str | None) -> None:
    """Fetch versions from a remote that are not here; only bytes that are not here travel.

    All datasets, unless some are named. They become the next versions here, in the order in which they were
    made. Stopped anywhere, the same command goes on from there.
    """
    with session.app() as app:
        done = _on(app, remote).pull(list(datasets))
    session.show(done, _lines(done, "fetched from"))


@click.command()
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@click.option("--repair", is_flag=True, help="Fetch what is damaged or missing from a remote.")
@_remote
@pass_session
def verify(
    session: Session, /, datasets: tuple[str, ...], repair: bool, remote: str | None
) -> None:
    """Read every byte of every version and name the files that are not what was stored.

    Exit code 8 if any is left damaged.
    """
    from mainspring.blobs.repair import drop_damaged_pieces
    from mainspring.kernel.errors import Corrupt

    with session.app() as app:
        names = datasets or _all(app)
        source = _on(app, remote) if repair else None
        found = [damage for name in names for damage in _damages(app, name, source)]
        if repair:
            drop_damaged_pieces(app.blobs)
    left = [each for each in found if not each.repaired]
    lines = [
        f"{each.dataset} version {each.number}: {each.path} "
        f"{'was ' + each.what + ', repaired' if each.repaired else 'is ' + each.what}"
        for each in found
    ]
    session.show(found, lines or [f"{', '.join(names) or 'no dataset'}: all sound"])
    if left:
        raise Corrupt(
            f"{len(left)} files are damaged",
            code="damaged",
            hint="`mainspring data verify --repair` fetches them from a remote.",
        )


def _damages(app: "App", name: str, source: "RemoteVersions | None") -> list[Damage]:
    from mainspring.blobs.trees import read_manifest
    from mainspring.kernel.errors import Corrupt, NotFound

    sound: set[Digest] = set()
    found: list[Damage] = []

    def look(version: "DatasetVersion", path: str, digest: "Digest") -> None:
        what = None if digest in sound else _problem(app, digest)
        if what is None:
            sound.add(digest)
            return
        repaired = source is not None and _repaired(app, source, digest)
        found.append(
            Damage(
                dataset=name,
                number=version.number,
                path=path,
                digest=digest,
                what=what,
                repaired=repaired,
            )
        )

    for version in _versions(app, name):
        if version.state == "removed":
            continue
        for path, digest in (("(manifest)", version.manifest), ("(profile)", version.profile)):
            if digest is not None:
                look(version, path, digest)
        try:
            manifest = read_manifest(app.blobs, version.manifest)
        except (NotFound, Corrupt):
            continue  # told as damaged
        for entry in manifest.entries:
            look(version, entry.path, entry.digest)
    return found


def _problem(app: "App", digest: "Digest") -> str | None:
    from mainspring.kernel.errors import Corrupt, NotFound

    try:
        app.blobs.verify(digest)
    except NotFound:
        return "missing"
    except Corrupt:
        return "damaged"
    return None


def _repaired(app: "App", source: "RemoteVersions", digest: "Digest") -> bool:
    from mainspring.blobs.repair import replace
    from mainspring.kernel.errors import Corrupt, NotFound

    with tempfile.TemporaryDirectory(dir=app.settings.home) as folder:
        path = Path(folder) / "bytes"
        try:
            source.bytes.fetch_to(digest, path)
        except (NotFound, Corrupt):
            return False
        replace(app.blobs, digest, path)
    return True


def _on(app: "App", name: str | None) -> "RemoteVersions":
    from mainspring.datasets.exchange import remote_versions

    return remote_versions(app.call, app.blobs, name, app.settings.remotes_path)


def _all(app: "App") -> list[str]:
    from mainspring.datasets.requests import ListDatasets

    return [dataset.name for dataset in app.call(ListDatasets())]


def _versions(app: "App", name: str) -> "tuple[DatasetVersion, ...]":
    from mainspring.datasets.requests import ListDatasetVersions

    return app.call(ListDatasetVersions(dataset=name, limit=10_000))


def _lines(done: "Exchanged", word: str) -> list[str]:
    if not done.numbers:
        return [f"nothing new {word.rpartition(' ')[2]} {done.remote}"]
    return [
        *(
            f"{name} version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))} {word} {done.remote}"
            for name, numbers in done.numbers.items()
        ),
        f"{done.size_bytes:,} bytes in {done.object_count:,} objects",
    ]
