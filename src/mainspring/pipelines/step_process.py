"""The process of one attempt at a step: imports the user's code, runs the step, keeps what it returns."""

import atexit
import faulthandler
import importlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from mainspring.blobs.local import LocalBlobs
from mainspring.domain.pipeline import StoredValue
from mainspring.kernel.codec import digest_of
from mainspring.kernel.digests import hex_part
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.pipelines.authoring import Step, type_name
from mainspring.pipelines.child import enter_project, told, users_traceback
from mainspring.pipelines.context import StepContext, begin
from mainspring.pipelines.dataset import Dataset
from mainspring.pipelines.models import Metrics, Model
from mainspring.pipelines.refs import item_annotation
from mainspring.pipelines.task import (
    ANSWER_FILE,
    TASK_FILE,
    Answer,
    Argument,
    Done,
    Kept,
    KeptDataset,
    KeptList,
    Plain,
    Raised,
    Task,
)
from mainspring.pipelines.values import as_asked, decode, encode


def main(scratch: Path) -> int:
    """Carry out the task in a scratch folder and write the answer beside it; gives the exit status."""
    task = msgspec.json.decode((scratch / TASK_FILE).read_bytes(), type=Task)
    # On the way out of a step that took too long, say where it was.
    faulthandler.enable()
    faulthandler.register(signal.SIGTERM, chain=True)
    enter_project(Path(task.project))
    _make_loaded_libraries_ours(task.cpus)
    answer = _answer(task)
    part = scratch / (ANSWER_FILE + ".part")
    part.write_bytes(msgspec.json.encode(answer))
    part.rename(scratch / ANSWER_FILE)
    return 0 if isinstance(answer, Done) else 1


def _make_loaded_libraries_ours(cpus: int) -> None:
    """What was loaded before the fork has other ideas of threads, and the same random state in every fork."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "numpy" in sys.modules and cpus > 1:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

        threadpool_limits(limits=cpus)


def leave(status: int) -> None:
    """End the process as Python would, and for certain."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the end of a script does
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _answer(task: Task) -> Answer:
    project = Path(task.project)
    try:
        return Done(outputs=_run(task))
    except MainspringError as error:
        _, where = told(error, project)
        sys.stderr.write(users_traceback(error))
        return Raised(error=str(error), where=where, kinds=_kinds(error))
    except (Exception, KeyboardInterrupt) as error:
        line, where = told(error, project)
        sys.stderr.write(users_traceback(error))
        return Raised(error=line, where=where, kinds=_kinds(error))
    except SystemExit as error:
        _, where = told(error, project)
        return Raised(error=f"the step called sys.exit({error.code!r})", where=where)


def _kinds(error: BaseException) -> tuple[str, ...]:
    return tuple(type_name(kind) for kind in type(error).__mro__)


def _run(task: Task) -> tuple[StoredValue, ...]:
    blobs = LocalBlobs(Path(task.blobs))
    scratch = Path(task.scratch)
    checkpoint = Path(task.checkpoint)
    checkpoint.mkdir(parents=True, exist_ok=True)
    begin(
        StepContext(
            run=task.run,
            node=task.node,
            attempt=task.attempt,
            idempotency_key=hex_part(digest_of([task.run, task.node]))[:32],
            checkpoint=checkpoint,
            scratch=scratch,
        )
    )
    step = _step(task)
    arguments = {
        name: _value(argument, step.annotations.get(name), blobs, scratch)
        for name, argument in task.arguments.items()
    }
    returned = step.function(**arguments)
    kept = []
    for what, value, annotation in _outputs(task, step, returned):
        _check(what, value, annotation)
        kept.append(encode(value, blobs, scratch=scratch, project=Path(task.project), what=what))
    return tuple(kept)


def _step(task: Task) -> Step[Any]:
    module, _, name = task.step.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Step):
        raise Invalid(f"{task.step} is not a step", hint="Decorate the function with @ms.step.")
    return found


def _value(argument: Argument, annotation: Any, blobs: LocalBlobs, scratch: Path) -> Any:
    match argument:
        case Plain(value=value):
            return value
        case Kept(value=stored):
            return decode(stored, annotation, blobs, scratch=scratch)
        case KeptList(values=values):
            asked = item_annotation(annotation)
            return [decode(stored, asked, blobs, scratch=scratch) for stored in values]
        case KeptDataset(name=name, number=number, manifest=manifest, times=times):
            dataset = Dataset(name=name, number=number, manifest=manifest, blobs=blobs, times=times)
            if annotation is Dataset:
                return dataset
            if getattr(annotation, "__name__", "") == "LazyFrame":
                return dataset.scan()
            return as_asked(dataset.read(), annotation)


def _outputs(task: Task, step: Step[Any], returned: Any) -> list[tuple[str, Any, Any]]:
    """Each value that is to be kept, with what it is called in errors and its declared type."""
    if task.output_count is None:
        return [(f"the result of {step.name}", returned, step.annotations.get("return"))]
    if not isinstance(returned, tuple | list) or len(returned) != task.output_count:
        got = f"{len(returned)} values" if isinstance(returned, tuple | list) else type(returned)
        raise Invalid(
            f"{step.name} says that it returns {task.output_count} values; it returned {got}",
            code="wrong_outputs",
            where=step.where,
        )
    kinds = step.output_annotations or (None,) * task.output_count
    return [
        (f"the result of {step.name} (number {number})", value, kind)
        for number, (value, kind) in enumerate(zip(returned, kinds, strict=True))
    ]


def _check(what: str, value: Any, annotation: Any) -> None:
    if annotation not in (Model, Metrics) or isinstance(value, annotation):
        return
    example = "ms.Model(estimator, inputs=table)"
    if annotation is Metrics:
        example = "ms.evaluate(model, table, target=...) or ms.Metrics(rmse=...)"
    raise Invalid(
        f"{what} is a {type(value).__name__}, not an ms.{annotation.__name__}",
        code="wrong_outputs",
        hint=f"Return {example}.",
    )


if __name__ == "__main__":
    leave(main(Path(sys.argv[1])))
