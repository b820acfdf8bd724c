"""The stages of a DVC repository as the text of a pipeline that reads as if written by hand."""

import json
import keyword
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.pipelines.snapshot import KEPT
from mainspring.takeover.dvc.flow_text import FOOT, HEAD, RESERVED, STEP
from mainspring.takeover.dvc.history import Repository
from mainspring.takeover.dvc.metafiles import Stage
from mainspring.takeover.dvc.names import dataset_name
from mainspring.takeover.dvc.templates import filled

_SET_IN = (".yaml", ".yml", ".json")
_LINE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The text of a pipeline's file, and what of the stages it can't do by itself."""

    text: str
    left_out: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Step:
    """A stage on its way to becoming a function: what it is given, by parameter, and what it gives."""

    stage: Stage
    name: str
    files: list[str] = field(default_factory=list)
    datasets: dict[str, str] = field(default_factory=dict)
    """Datasets by parameter: where their files belong."""
    results: dict[str, str] = field(default_factory=dict)
    """Results of other steps by parameter."""
    params: dict[str, tuple[str, str, Any]] = field(default_factory=dict)
    """Parameters of the pipeline: the file, the key in it, and the value it has there."""
    gives: dict[str, str] = field(default_factory=dict)
    """Files that it returns, by variable."""
    measures: dict[str, str] = field(default_factory=dict)
    """Files whose numbers it returns, by variable."""


def flow_of(repository: Repository, names: Mapping[str, str]) -> Flow:
    """Write the stages that are checked out as a pipeline; `names` are the datasets by path.

    Raises `Invalid` if there are none.
    """
    head = repository.git.head
    stages = _in_order(repository.declared(head).stages)
    if not stages:
        raise Invalid(
            f"{repository.root} has no stages that could become a pipeline",
            code="no_stages",
            hint="Take it over without --flow.",
        )
    made = _Making(repository=repository, names=names)
    made.read = {dep for stage in stages for dep in stage.deps}
    made.made = {out for stage in stages for out in (*stage.outs, *stage.plots, *stage.metrics)}
    for stage in stages:
        # Parameters are called like their datasets, so these names come before all others.
        for dep in stage.deps:
            made.datasets_of(stage, dep)
    steps = [made.step(stage) for stage in stages]
    parts = [HEAD, *(_function(step) for step in steps)]
    parts.append(_pipeline(steps))
    return Flow(text="\n\n".join(parts), left_out=tuple(dict.fromkeys(made.left_out)))


@dataclass(slots=True, kw_only=True)
class _Making:
    repository: Repository
    names: Mapping[str, str]
    left_out: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    """What any stage depends on."""
    made: set[str] = field(default_factory=set)
    """What any stage gives."""
    _taken: set[str] = field(default_factory=lambda: set(RESERVED))
    _given: dict[str, str] = field(default_factory=dict)
    """The variable of each path that a step before gave."""
    _datasets: dict[str, str] = field(default_factory=dict)
    _params: dict[tuple[str, str], str] = field(default_factory=dict)

    def step(self, stage: Stage) -> _Step:
        """One stage as a function, after all that it depends on."""
        step = _Step(stage=stage, name=self._new(stage.name))
        for dep in stage.deps:
            self._depend(step, dep)
        for file, keys in stage.params.items():
            self._set(step, file, keys)
        for path in stage.metrics:
            step.measures[self._new(f"{stage.name}_{dataset_name(path)}")] = path
        also_read = (p for p in stage.metrics if any(_meet(p, dep) for dep in self.read))
        for path in (*stage.outs, *stage.plots, *also_read):
            self._given[path] = self._new(dataset_name(path))
            step.gives[self._given[path]] = path
        return step

    def _depend(self, step: _Step, dep: str) -> None:
        step.results |= {name: path for path, name in self._given.items() if _meet(path, dep)}
        step.datasets |= {self._dataset(path): path for path in self.datasets_of(step.stage, dep)}
        for path in self._code_at(dep):
            # Scripts import what lies beside them, and say so nowhere.
            folder = path.rpartition("/")[0]
            step.files.append(f"{folder}/*.py" if folder and path.endswith(".py") else path)

    def datasets_of(self, stage: Stage, dep: str) -> list[str]:
        """The paths of data that a dependency is, or has in it, and that no stage makes."""
        kept = self.repository.outs_at(self.repository.git.head)
        found = [path for path in kept if _meet(path, dep) and path not in self.made]
        is_made = any(_meet(path, dep) for path in self.made)
        tracked = self._tracked_at(dep)
        if not found and not is_made and (not tracked or len(self._code_at(dep)) < len(tracked)):
            name = self._dataset(dep)
            self.left_out.append(
                f"{dep}, which stage {stage.name!r} reads, is no version here: "
                f"mainspring data add {self.names.get(dep) or name} {dep}"
            )
            return [dep]
        for path in found:
            self._dataset(path)
        return found

    def _tracked_at(self, dep: str) -> list[str]:
        return [p for p in self.repository.paths_at(self.repository.git.head) if _is_in(p, dep)]

    def _code_at(self, dep: str) -> list[str]:
        """The files of a dependency that a run has with its code."""
        found = [p for p in self._tracked_at(dep) if PurePosixPath(p).suffix in KEPT]
        return [path for path in found if not any(_is_in(path, made) for made in self.made)]

    def _dataset(self, path: str) -> str:
        if path not in self._datasets:
            name = self.names.get(path) or dataset_name(path)
            self._datasets[path] = self._new(name)
            if self._datasets[path] != name:
                self.left_out.append(
                    f"the name of {name!r}, which can't be a parameter's: run the pipeline with "
                    f"--data {self._datasets[path]}={name}"
                )
        return self._datasets[path]

    def _set(self, step: _Step, file: str, keys: Sequence[str]) -> None:
        """Make parameters of the pipeline of what has a plain value; the rest stays in its file."""
        content = None
        if file.endswith(_SET_IN):
            content = self.repository.text(self.repository.git.head, file)
        found = list(_leaves(content, keys)) if isinstance(content, dict) else []
        for key, value in found:
            if _is_plain(value):
                where = (file, key)
                if where not in self._params:
                    self._params[where] = self._new(key)
                step.params[self._params[where]] = (file, key, value)
        stays = not found or not all(_is_plain(value) for _key, value in found)
        if stays and file in self.repository.paths_at(self.repository.git.head):
            step.files.append(file)

    def _new(self, wish: str) -> str:
        plain = re.sub(r"\W+", "_", wish, flags=re.ASCII).strip("_").lower() or "stage"
        if plain[0].isdigit() or keyword.iskeyword(plain):
            plain = f"stage_{plain}"
        name, number = plain, 2
        while name in self._taken:
            name, number = f"{plain}_{number}", number + 1
        self._taken.add(name)
        return name


def _leaves(content: Mapping[str, Any], keys: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The values below some keys, each by its own; below all if none is named."""
    for key in keys or list(content):
        try:
            value = filled(f"${{{key}}}", content)
        except Invalid:
            yield key, None
            continue
        if isinstance(value, dict):
            yield from _leaves(content, [f"{key}.{inner}" for inner in value])
        else:
            yield key, value


def _is_plain(value: object) -> bool:
    """Whether a value can be a parameter's default, written as Python."""
    return isinstance(value, bool | int | str) or (
        isinstance(value, float) and math.isfinite(value)
    )


def _in_order(stages: Sequence[Stage]) -> list[Stage]:
    """Stages after those whose outs they depend on."""
    left, found = list(stages), []
    while left:
        ready = [
            stage
            for stage in left
            if not any(
                _meet(out, dep)
                for other in left
                if other is not stage
                for out in (*other.outs, *other.metrics, *other.plots)
                for dep in stage.deps
            )
        ]
        if not ready:
            raise Invalid(
                f"the stages {', '.join(stage.name for stage in left)} wait for each other",
                code="cyclic_stages",
            )
        found += ready
        left = [stage for stage in left if stage not in ready]
    return found


def _meet(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _function(step: _Step) -> str:
    stage = step.stage
    options = []
    if step.files:
        options.append(f"files={_literal(sorted(set(step.files)))}")
    if stage.always_changed:
        options.append("cache=False")
    given = [f"{name}: ms.Dataset" for name in step.datasets]
    given += [f"{name}: ms.Files" for name in step.results]
    given += [f"{name}: {type(value).__name__}" for name, (_f, _k, value) in step.params.items()]
    returned = ["ms.Files" for _ in step.gives] + ["ms.Metrics" for _ in step.measures]
    puts = [f"work.put({n}, {_literal(p)})" for n, p in step.datasets.items()]
    puts += [f"work.put({name})" for name in step.results]
    for file in dict.fromkeys(file for file, _key, _value in step.params.values()):
        pairs = ", ".join(
            f"{_literal(key)}: {name}" for name, (f, key, _v) in step.params.items() if f == file
        )
        puts.append(f"work.set({_literal(file)}, {{{pairs}}})")
    makes = list(dict.fromkeys((*step.gives.values(), *step.measures.values())))
    where = f", makes={_literal(makes)}" if makes else ""
    where += "" if stage.folder in ("", ".") else f", folder={_literal(stage.folder)}"
    gives = ", ".join(
        [f"work.take({_literal(path)})" for path in step.gives.values()]
        + [f"work.metrics({_literal(path)})" for path in step.measures.values()]
    )
    return STEP.substitute(
        options=f"({', '.join(options)})" if options else "",
        name=step.name,
        given=_given(step.name, given, _of_many(returned)),
        returned=_of_many(returned),
        doc=_doc(stage),
        puts="".join(f"        {put}\n" for put in puts),
        command=_literal(stage.command),
        where=where,
        gives=gives and f"        return {gives}\n",
    )


def _given(name: str, given: Sequence[str], returned: str) -> str:
    """The parameters on one line, or on one each where the line would be too long."""
    line = ", ".join(given)
    if len(f"def {name}({line}) -> {returned}:") <= _LINE:
        return line
    return "\n" + "".join(f"    {each},\n" for each in given)


def _of_many(types: Sequence[str]) -> str:
    if not types:
        return "None"
    return types[0] if len(types) == 1 else f"tuple[{', '.join(types)}]"


def _doc(stage: Stage) -> str:
    text = stage.description or f"The stage `{stage.name}`."
    text = text.replace("\\", "\\\\").replace('"""', "'''").strip()
    return f"{text} " if text.endswith('"') else text


def _pipeline(steps: Sequence[_Step]) -> str:
    datasets = dict.fromkeys(name for step in steps for name in step.datasets)
    params = {name: value for step in steps for name, (_f, _k, value) in step.params.items()}
    given = [f"    {name}: ms.Dataset,\n" for name in datasets]
    given += [
        f"    {name}: {type(value).__name__} = {value!r},\n" for name, value in params.items()
    ]
    lines = []
    for step in steps:
        names = ", ".join((*step.gives, *step.measures))
        start = f"    {f'{names} = ' if names else ''}{step.name}("
        given_to = (*step.datasets, *step.results, *step.params)
        line = f"{start}{', '.join(given_to)})\n"
        if len(line) > _LINE:
            line = f"{start}\n" + "".join(f"        {each},\n" for each in given_to) + "    )\n"
        lines.append(line)
    used = {name for step in steps for name in step.results}
    ends = [name for step in steps for name in (*step.gives, *step.measures) if name not in used]
    return FOOT.substitute(
        given="\n" + "".join(given) if given else "",
        calls="".join(lines),
        result=", ".join(ends) or "None",
    )


def _literal(value: Any) -> str:
    # JSON's escapes are Python's too.
    return json.dumps(value, ensure_ascii=False)
