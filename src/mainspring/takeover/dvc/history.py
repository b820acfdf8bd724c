"""A DVC repository through git's history: which data changed where, and what stages said of themselves."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from mainspring.kernel.errors import Invalid
from mainspring.takeover.dvc.git import Change, Commit, Git
from mainspring.takeover.dvc.metafiles import (
    Declared,
    Locked,
    Out,
    read_declared,
    read_dvc_file,
    read_lock,
)
from mainspring.takeover.dvc.places import Place, find_places
from mainspring.takeover.dvc.texts import read_text

PATTERNS = ("*.dvc", "dvc.lock", "*/dvc.lock", "dvc.yaml", "*/dvc.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The data of one path as a commit left it.

    `is_again` is what is checked out, recorded again because another branch came after it.
    """

    commit: Commit
    out: Out
    is_again: bool = False

    @property
    def origin(self) -> str:
        """What tells its version from all others of the dataset."""
        return f"{'head' if self.is_again else 'git'}:{self.commit.id}"


@dataclass(slots=True, kw_only=True)
class Repository:
    """An open DVC repository. `left_out` gathers what of it can't be carried over, each once."""

    root: Path
    git: Git
    places: tuple[Place, ...]
    left_out: dict[str, None] = field(default_factory=dict)
    _declared: dict[tuple[str, str], Declared] = field(default_factory=dict)
    _trees: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its folder is called."""
        return self.root.resolve().name

    def history(self, *, all_branches: bool) -> tuple[list[State], list[Commit]]:
        """Every change of data, parents first, and the commits that changed anything of DVC's.

        What is checked out comes last, so that it is the newest version. A commit counts where it differs from
        all its parents.
        """
        states: list[State] = []
        commits: list[Commit] = []
        metrics = self.metrics_at(self.git.head)
        patterns = (*PATTERNS, *(f":(literal){path}" for path in metrics))
        for commit, changes in self.git.history(self._tips(all_branches), patterns):
            ours = [change for change in changes if _is_metafile(change.path)]
            if ours or any(change.path in metrics for change in changes):
                commits.append(commit)
            states += [State(commit=commit, out=out) for out in self._changed(commit, ours)]
        newest = {state.out.path: state.out.key for state in states}
        head = self.git.commit(self.git.head)
        for out in self.outs_at(head.id).values():
            if newest.get(out.path) != out.key:
                states.append(State(commit=head, out=out, is_again=True))
        return states, commits

    def outs_at(self, commit: str) -> dict[str, Out]:
        """All data of one commit by path."""
        found: dict[str, Out] = {}
        for path, blob in self._tree(commit).items():
            if _is_metafile(path):
                found |= self._data(commit, path, blob)
        return found

    def declared(self, commit: str) -> Declared:
        """All that the `dvc.yaml` files of a commit declare."""
        every = [
            self._declaration(commit, path)
            for path in sorted(self._tree(commit))
            if PurePosixPath(path).name == "dvc.yaml"
        ]
        return Declared(
            stages=tuple(stage for each in every for stage in each.stages),
            metrics=tuple(path for each in every for path in each.metrics),
            plots=tuple(path for each in every for path in each.plots),
        )

    def metrics_at(self, commit: str) -> tuple[str, ...]:
        """The files in which stages of a commit write their metrics."""
        declared = self.declared(commit)
        by_stages = (path for stage in declared.stages for path in stage.metrics)
        return tuple(dict.fromkeys((*declared.metrics, *by_stages)))

    def plots_at(self, commit: str) -> tuple[str, ...]:
        """The files and folders in which stages of a commit write what is plotted."""
        declared = self.declared(commit)
        by_stages = (path for stage in declared.stages for path in stage.plots)
        return tuple(dict.fromkeys((*declared.plots, *by_stages)))

    def locked(self, commit: str) -> Locked:
        """What all `dvc.lock` files of a commit say, metrics and plots included."""
        outs: dict[str, Out] = {}
        params: dict[str, Any] = {}
        for path, blob in sorted(self._tree(commit).items()):
            if PurePosixPath(path).name == "dvc.lock":
                found = self._locked(commit, path, blob)
                outs |= found.outs
                params |= found.params
        return Locked(outs=outs, params=params)

    def paths_at(self, commit: str) -> Collection[str]:
        """Every file that git itself keeps in a commit."""
        return self._tree(commit).keys()

    def tracked(self, commit: str, path: str) -> BinaryIO | None:
        """The bytes that git itself keeps at a path of a commit."""
        blob = self._tree(commit).get(path)
        return None if blob is None else self.git.open(blob)

    def text(self, commit: str, path: str) -> Any:
        """What a small YAML, JSON or TOML file of a commit holds; None if there is none."""
        blob = self._tree(commit).get(path)
        return None if blob is None else read_text(self.git.read(blob), path)

    def _tips(self, all_branches: bool) -> list[str]:
        if self.git.is_shallow:
            self._leave("what is older than this shallow clone: `git fetch --unshallow` brings it")
        if experiments := self.git.experiments():
            self._leave(f"DVC's experiments, {experiments} of them, that were not committed")
        for path in self.git.uncommitted(PATTERNS):
            self._leave(f"{path} as it is now: it was changed and not committed")
        tips = [self.git.head, *self.git.tags().values()]
        for name, commit in self.git.branches().items():
            if all_branches:
                tips.append(commit)
            elif ahead := self.git.count_beyond(commit, tips):
                self._leave(f"the branch {name}, {ahead} commits of its own (--all-branches)")
        return tips

    def _changed(self, commit: Commit, changes: list[Change]) -> Iterator[Out]:
        before: dict[int, dict[str, Out]] = {}
        after: dict[str, Out] = {}
        for change in changes:
            if change.after is not None:
                after |= self._data(commit.id, change.path, change.after)
            for parent, blob in enumerate(change.before):
                known = before.setdefault(parent, {})
                if blob is not None:
                    known |= self._data(commit.id, change.path, blob)
        for path, out in sorted(after.items()):
            if not any(_is_same(known.get(path), out) for known in before.values()):
                yield out

    def _data(self, commit: str, path: str, blob: str) -> Mapping[str, Out]:
        """The data that a metafile names: metrics and plots are told by runs instead."""
        found = self._locked(commit, path, blob)
        if PurePosixPath(path).name != "dvc.lock":
            return found.outs
        declared = self._declaration(commit, _beside(path, "dvc.yaml"))
        told = {*declared.metrics, *declared.plots}
        told.update(p for stage in declared.stages for p in (*stage.metrics, *stage.plots))
        return {path: out for path, out in found.outs.items() if path not in told}

    def _locked(self, commit: str, path: str, blob: str) -> Locked:
        name = PurePosixPath(path).name
        if name == "dvc.yaml":
            return Locked()
        try:
            data = self.git.read(blob)
            if name == "dvc.lock":
                stages = self._declaration(commit, _beside(path, "dvc.yaml")).stages
                found = read_lock(data, path, {stage.name: stage.folder for stage in stages})
            else:
                found = read_dvc_file(data, path)
        except (Invalid, AttributeError, TypeError) as error:
            self._leave(f"{path} at {commit[:10]}: {error}")
            return Locked()
        for each in found.left_out:
            self._leave(each)
        return found

    def _declaration(self, commit: str, path: str) -> Declared:
        key = (commit, path)
        if key not in self._declared:
            while len(self._declared) > 100:
                self._declared.pop(next(iter(self._declared)))
            self._declared[key] = self._read_declaration(commit, path)
        return self._declared[key]

    def _read_declaration(self, commit: str, path: str) -> Declared:
        blob = self._tree(commit).get(path)
        if blob is None:
            return Declared()
        try:
            found = read_declared(self.git.read(blob), path, lambda p: self.text(commit, p))
        except (Invalid, AttributeError, TypeError) as error:
            self._leave(f"{path} at {commit[:10]}: {error}")
            return Declared()
        for each in found.left_out:
            self._leave(each)
        return found

    def _tree(self, commit: str) -> dict[str, str]:
        if commit not in self._trees:
            # A long history has many; a few are in use at a time.
            while len(self._trees) > 8:
                self._trees.pop(next(iter(self._trees)))
            self._trees[commit] = self.git.files(commit)
        return self._trees[commit]

    def _leave(self, what: str) -> None:
        self.left_out[what] = None


def open_repository(root: Path, *, local_only: bool = False) -> Repository:
    """Open a DVC repository to read it; raises `NotFound` or `Invalid` for what is none.

    With `local_only` no remote is asked that is not a folder.
    """
    found = find_places(root, local_only=local_only)
    repository = Repository(root=root, git=Git(root), places=found.places)
    for each in found.left_out:
        repository.left_out[each] = None
    return repository


def _is_metafile(path: str) -> bool:
    name = PurePosixPath(path).name
    is_one = name in ("dvc.lock", "dvc.yaml") or (name.endswith(".dvc") and name != ".dvc")
    return is_one and not path.startswith(".dvc/")


def _is_same(before: Out | None, after: Out) -> bool:
    return before is not None and (before.key, before.files) == (after.key, after.files)


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))
