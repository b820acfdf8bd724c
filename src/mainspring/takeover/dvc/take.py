"""Taking over a DVC repository: a loop over its history that can be stopped anywhere and begun again.

What was recorded is remembered here by the commit that it comes from, and every object by its md5: a second
takeover reads no bytes again, and brings what was committed since.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from mainspring.blobs.trees import put_manifest
from mainspring.datasets.requests import ListDatasets
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Corrupt, Invalid, NotFound
from mainspring.takeover.dvc.history import Repository, State
from mainspring.takeover.dvc.metafiles import Out
from mainspring.takeover.dvc.names import named
from mainspring.takeover.dvc.objects import Objects
from mainspring.takeover.dvc.report import DvcTakeover, MissingData, TakenDataset
from mainspring.takeover.dvc.runs import take_runs
from mainspring.takeover.dvc.versions import record
from mainspring.takeover.home import Home
from mainspring.takeover.requests import DatasetOrigin, FindOrigins, TakeOverOrigins

_REASONS = 5


@dataclass(slots=True, kw_only=True)
class _Taking:
    repository: Repository
    home: Home
    objects: Objects
    report: DvcTakeover
    names: Mapping[str, str]
    given: Mapping[str, str]
    writes: bool
    say: Callable[[str], None]
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    """The version here of a dataset's content over there, by name and DVC's key."""
    newest: dict[str, dict[str, Digest]] = field(default_factory=dict)
    """The files of the state before, by the path of the data: the next one is likely to be much like it."""


def take_over(
    repository: Repository,
    home: Home,
    *,
    names: Mapping[str, str] | None = None,
    experiment: str | None = None,
    all_branches: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> DvcTakeover:
    """Carry over every version, tag and run that is missing here; `say` is told of progress.

    `names` gives paths of data other names than their own.
    """
    say("reading the history")
    states, commits = repository.history(all_branches=all_branches)
    head = repository.outs_at(repository.git.head)
    report = DvcTakeover(
        source=f"DVC repository {repository.root.resolve()} at {repository.git.head[:10]}",
        is_dry_run=dry_run,
        stages=tuple(each.name for each in repository.declared(repository.git.head).stages),
    )
    taking = _Taking(
        repository=repository,
        home=home,
        objects=Objects(home=home, places=repository.places),
        report=report,
        names=named((state.out.path for state in states), head, names or {}),
        given=names or {},
        writes=not dry_run,
        say=say,
    )
    for path, name in taking.names.items():
        report.datasets[path] = TakenDataset(name=name, path=path)
    _take_states(taking, states, head)
    _take_tags(taking)
    say("metrics")
    take_runs(repository, taking.objects, report, commits, name=experiment, writes=taking.writes)
    report.left_out = tuple(repository.left_out)
    return report


def _take_states(taking: _Taking, states: list[State], head: Mapping[str, Out]) -> None:
    known = {name: _origins(taking.home, name) for name in dict.fromkeys(taking.names.values())}
    # Versions are numbered without gaps.
    before = {each.name: each.version_count for each in taking.home.call(ListDatasets())}
    _refuse_strangers(taking, {name for name in before if name in known and not known[name]})
    paths: dict[tuple[str, str], str] = {}
    for at, state in enumerate(states, 1):
        name = taking.names[state.out.path]
        taken = taking.report.datasets[state.out.path]
        other = paths.setdefault((name, state.origin), state.out.path)
        if other != state.out.path:
            _miss(taking, state, head, (f"{other} has that name too: give one of them by --name",))
            continue
        number = known[name].get(state.origin)
        if number is None:
            taking.say(f"{at} of {len(states)}: {state.out.path} at {state.commit.short}")
            try:
                version = _take(taking, name, state)
            except (NotFound, Corrupt, Invalid) as error:
                _miss(taking, state, head, (error.message,))
                continue
            if version is None:
                taken.found += 1
                continue
            number = version.number
            # The same content as before is the same version.
            taken.added += number > before.get(name, 0)
            before[name] = max(number, before.get(name, 0))
            known[name][state.origin] = number
        taken.found += 1
        taken.newest = max(taken.newest or 0, number)
        taking.numbers[name, state.out.key] = number


def _refuse_strangers(taking: _Taking, names: set[str]) -> None:
    """Have people say so if versions are to go on top of a dataset that did not come from DVC."""
    for path, name in taking.names.items():
        if name in names and path not in taking.given:
            raise Conflict(
                f"there is a dataset {name!r} here already, which was not taken over",
                code="name_taken",
                hint=f"Give another name, or that one if it is the same data: --name {path}=NAME",
            )


def _take(taking: _Taking, name: str, state: State) -> DatasetVersion | None:
    """Store and record one state; None if nothing is to be written."""
    tracked = partial(taking.repository.tracked, state.commit.id)
    if not taking.writes:
        reasons = list(taking.objects.missing(state.out, tracked))
        if reasons:
            raise NotFound("; ".join([*reasons[:_REASONS], *_more(len(reasons))]))
        return None
    manifest = taking.objects.store(state.out, tracked, taking.newest.get(state.out.path))
    taking.newest[state.out.path] = {each.path: each.digest for each in manifest.entries}
    if not manifest.entries:
        raise Invalid("the folder is empty, and a version here has at least one file")
    digest = put_manifest(taking.home.blobs, manifest)
    if state.out.is_folder and state.out.md5:
        taking.objects.name(state.out.key, digest)
    taking.objects.tell()
    return record(
        taking.home,
        name,
        state,
        manifest=manifest,
        digest=digest,
        notes=taking.report.notes,
    )


def _take_tags(taking: _Taking) -> None:
    origins = []
    for tag, commit in sorted(taking.repository.git.tags().items()):
        for path, out in sorted(taking.repository.outs_at(commit).items()):
            name = taking.names.get(path)
            number = None if name is None else taking.numbers.get((name, out.key))
            if name is not None and number is not None:
                taking.report.tags.setdefault(tag, {})[name] = number
                origins.append(
                    DatasetOrigin(dataset=name, number=number, origin=f"tag:{tag[:290]}")
                )
    if origins and taking.writes:
        taking.home.call(TakeOverOrigins(origins=tuple(origins)))


def _origins(home: Home, name: str) -> dict[str, int]:
    found = home.call(FindOrigins(dataset=name))
    return {each.origin: each.number for each in found}


def _miss(taking: _Taking, state: State, head: Mapping[str, Out], reasons: tuple[str, ...]) -> None:
    now = head.get(state.out.path)
    taking.report.missing.append(
        MissingData(
            path=state.out.path,
            commit=state.commit.short,
            subject=state.commit.subject,
            is_checked_out=now is not None and now.key == state.out.key,
            reasons=reasons,
        )
    )


def _more(count: int) -> list[str]:
    return [f"and {count - _REASONS:,} more"] if count > _REASONS else []
