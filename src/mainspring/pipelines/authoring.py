"""What users write: `@step` and `@pipeline`.

Outside a pipeline a step is a plain function, so it is tested and debugged like one. Inside one, calling it
adds a node to the pipeline's graph and gives a `Ref` to the result that a later run will have.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, get_args, get_origin, overload

from mainspring.domain.partition import Partitions, PartitionUnit
from mainspring.domain.pipeline import Graph
from mainspring.kernel.durations import parse_duration
from mainspring.kernel.errors import Invalid
from mainspring.pipelines import tracing, waiting
from mainspring.pipelines.capacity import parse_size

R = TypeVar("R")

Duration = float | int | str
"""Seconds, or text such as `30s` or `10m`."""


class Step(Generic[R]):
    """A function that a pipeline may call; made by `@step`."""

    def __init__(
        self,
        function: Callable[..., R],
        *,
        retries: int,
        retry_delay: Duration,
        timeout: Duration | None,
        cpus: int,
        memory: int | str,
        gpus: int,
        uses: str,
        cache: bool,
        retry_on: type[BaseException] | tuple[type[BaseException], ...],
        retry_backoff: float,
        files: str | Sequence[str],
        env: str | Sequence[str],
        salt: str,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.where = tracing.place_of(function)
        self.reference = f"{function.__module__}:{function.__qualname__}"
        self.retries = self._at_least("retries", retries, 0)
        self.retry_delay_seconds = self._seconds("retry_delay", retry_delay)
        self.timeout_seconds = None if timeout is None else self._seconds("timeout", timeout)
        if self.timeout_seconds == 0:
            raise self._wrong("timeout is 0: the step could never finish")
        self.cpus = self._at_least("cpus", cpus, 1)
        self.memory_bytes = self._bytes(memory)
        self.gpus = self._at_least("gpus", gpus, 0)
        (self.uses,) = self._texts("uses", uses) if uses else ("",)
        self.cache = cache
        self.retry_on = self._exceptions(retry_on)
        self.retry_backoff = self._factor(retry_backoff)
        self.files = self._texts("files", files)
        self.env = self._texts("env", env)
        self.salt = salt
        self.signature = self._checked_signature()
        self.annotations = annotations_of(function)
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    # Not P.args: a pipeline passes an `ms.Dataset` where the step is given the `pl.DataFrame` in it.
    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Run the function; inside a pipeline, add a node to its graph instead."""
        tracer = tracing.current()
        if tracer is None:
            return self.function(*args, **kwargs)
        # What the tracer gives stands for an R that a run will make.
        return tracer.add(self, args, kwargs)  # type: ignore[no-any-return]

    def map(self, *args: Any, **kwargs: Any) -> list[R]:
        """Run the step once for each item of the lists among its arguments; gives the list of results.

        A list is gone through item by item where the step's parameter takes one item, several of them side
        by side like `zip()`; every other argument is given whole to each call. In a pipeline a list may be
        what another step returned: its length is known only when the run is there. Each item is a step of
        its own to the cache, to retries and to the workers.
        """
        tracer = tracing.current()
        if tracer is not None:
            # What the tracer gives stands for a list that a run will make.
            return tracer.add(self, args, kwargs, mapped=True)  # type: ignore[no-any-return]
        bound = self.signature.bind(*args, **kwargs).arguments
        over = [
            name
            for name, value in bound.items()
            if tracing.is_list(value) and not tracing.wants_list(self.annotations.get(name))
        ]
        if not over:
            raise self._wrong("map() was given no list", hint="Pass a list, or call the step.")
        rest = {name: value for name, value in bound.items() if name not in over}
        items = zip(*(bound[name] for name in over), strict=True)
        return [self.function(**rest, **dict(zip(over, item, strict=True))) for item in items]

    def __repr__(self) -> str:
        return f"<step {self.reference}>"

    @property
    def output_annotations(self) -> tuple[Any, ...] | None:
        """The types of a tuple's elements, if the step says that it returns a tuple; else None."""
        returned = self.annotations.get("return")
        if get_origin(returned) is not tuple:
            return None
        arguments = get_args(returned)
        return None if Ellipsis in arguments or not arguments else arguments

    def _checked_signature(self) -> inspect.Signature:
        signature = inspect.signature(self.function)
        for parameter in signature.parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise self._wrong(
                    f"the parameter {str(parameter)!r} has no fixed name",
                    hint="Name every parameter of a step: its inputs are kept and shown by name.",
                )
        if inspect.iscoroutinefunction(self.function) or inspect.isgeneratorfunction(self.function):
            raise self._wrong("a step returns its result", hint="Write it with `def` and `return`.")
        return signature

    def _at_least(self, name: str, value: int, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._wrong(f"{name} is {value!r}; it is a whole number from {least} on")
        return value

    def _bytes(self, memory: int | str) -> int:
        size = parse_size(memory) if isinstance(memory, str) else memory
        if size is None:
            raise self._wrong(f"memory is {memory!r}; it is bytes, or text such as '2GiB'")
        return self._at_least("memory", size, 0)

    def _seconds(self, name: str, value: Duration) -> float:
        if isinstance(value, str):
            return parse_duration(value).total_seconds()
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise self._wrong(f"{name} is {value!r}; it is seconds, or text such as '10m'")
        return float(value)

    def _exceptions(self, kinds: Any) -> tuple[str, ...]:
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise self._wrong(f"retry_on names {kind!r}, which is no type of exception")
        return tuple(type_name(kind) for kind in kinds)

    def _factor(self, value: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 10:
            raise self._wrong(f"retry_backoff is {value!r}; it is a factor from 1 to 10")
        return float(value)

    def _texts(self, name: str, texts: str | Sequence[str]) -> tuple[str, ...]:
        texts = (texts,) if isinstance(texts, str) else tuple(texts)
        if not all(isinstance(text, str) and text for text in texts):
            raise self._wrong(f"{name} is {texts!r}; it is a list of names")
        return texts

    def _wrong(self, message: str, hint: str | None = None) -> Invalid:
        return Invalid(f"step {self.name}: {message}", code="bad_step", hint=hint, where=self.where)


class Pipeline(Generic[R]):
    """A function that calls steps; made by `@pipeline`. Called outside a trace it runs them here and now."""

    def __init__(self, function: Callable[..., R], *, partitions: Partitions | None = None) -> None:
        self.function = function
        self.name = function.__name__
        self.where = tracing.place_of(function)
        self.reference = f"{function.__module__}:{function.__qualname__}"
        self.annotations = annotations_of(function)
        self.partitions = partitions
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Run the steps as plain function calls, in this process; inside another pipeline, become part of it."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<pipeline {self.reference}>"

    def trace(self) -> Graph:
        """The pipeline as data; raises `Invalid`, with the file and line, for what can't become a graph."""
        return tracing.trace(self)


@overload
def step(function: Callable[..., R], /) -> Step[R]: ...
@overload
def step(
    *,
    retries: int = ...,
    retry_delay: Duration = ...,
    timeout: Duration | None = ...,
    cpus: int = ...,
    memory: int | str = ...,
    gpus: int = ...,
    uses: str = ...,
    cache: bool = ...,
    retry_on: type[BaseException] | tuple[type[BaseException], ...] = ...,
    retry_backoff: float = ...,
    files: str | Sequence[str] = ...,
    env: str | Sequence[str] = ...,
    salt: str = ...,
) -> Callable[[Callable[..., R]], Step[R]]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retries: int = 0,
    retry_delay: Duration = 1.0,
    timeout: Duration | None = None,
    cpus: int = 1,
    memory: int | str = 0,
    gpus: int = 0,
    uses: str = "",
    cache: bool = True,
    retry_on: type[BaseException] | tuple[type[BaseException], ...] = (),
    retry_backoff: float = 1.0,
    files: str | Sequence[str] = (),
    env: str | Sequence[str] = (),
    salt: str = "",
) -> Any:
    """Make a function a step, which runs in a process of its own and whose results are kept.

    retries: how often it is tried again after it failed, `retry_delay` apart; each further time
        `retry_backoff` times longer, up to an hour.
    retry_on: the exceptions after which it is tried again; all, if none is named. A step that was stopped for
        its timeout counts as `TimeoutError`.
    timeout: how long one try may take.
    cpus, memory, gpus: what it uses; steps run side by side while there is enough. Memory is bytes or text such
        as `2GiB`. A step that asks for GPUs sees those that it is given in `CUDA_VISIBLE_DEVICES`.
    uses: the name of something that steps of all runs share, such as a database, and that `mainspring limit set`
        limits.
    cache: whether a result from the same code, environment and inputs is used again. Say False for a step
        whose result depends on anything else, such as the time or a web page.
    files, env: the project's files (as patterns such as `sql/*.sql`) and variables of the environment that
        its result depends on. Files that its code names, and all code that it reaches, are known without.
    salt: a text that is part of what its result is found again by; a new one makes it run again.
    """

    def make(target: Callable[..., Any]) -> Step[Any]:
        return Step(
            target,
            retries=retries,
            retry_delay=retry_delay,
            timeout=timeout,
            cpus=cpus,
            memory=memory,
            gpus=gpus,
            uses=uses,
            cache=cache,
            retry_on=retry_on,
            retry_backoff=retry_backoff,
            files=files,
            env=env,
            salt=salt,
        )

    return make if function is None else make(function)


def when(
    condition: Any,
    then: Callable[[], Any],
    otherwise: Callable[[], Any] | None = None,
) -> Any:
    """In a pipeline, run the steps of one branch or the other; gives the result of the branch that was taken.

    condition: a parameter of the pipeline, or the result of a step that returns `bool`.
    then, otherwise: functions without parameters that call steps, such as `lambda: train_large(table)`.

    Steps of the other branch are skipped, and with no branch taken every step that would take the result.
    Called outside a pipeline it calls one of the two here and now.
    """
    tracer = tracing.current()
    if tracer is not None:
        return tracer.choose(condition, {True: then} | ({False: otherwise} if otherwise else {}))
    if condition:
        return then()
    return otherwise() if otherwise else None


def wait(
    *after: Any,
    approval: str | None = None,
    event: str | None = None,
    delay: Duration | None = None,
    until: Any = None,
    timeout: Duration | None = None,
) -> bool:
    """In a pipeline, wait; gives True once what is waited for is there, False if it was refused or took too long.

    after: results of the steps before it; none, and it is waited for from the beginning.
    approval: a question that somebody answers with `mainspring approve RUN/STEP`.
    event: what happens in the store, as a trigger is on it: `data: rides`, `incident: demand`.
    delay, until: so much time after the steps before it, or an instant: text, or a parameter of the pipeline.
    timeout: how long an approval or event is waited for; without end, if it isn't said.

    What may only follow a yes stands in a branch: `ms.when(ms.wait(report, approval="Is it fine?"), lambda:
    publish(model))`. A run that waits holds no process. Called outside a pipeline it gives True at once.
    """
    what = waiting.wait_for(
        approval=approval, event=event, delay=delay, until=until, timeout=timeout
    )
    tracer = tracing.current()
    if tracer is None:
        return True
    # What the tracer gives stands for a truth that a run will have.
    return tracer.wait(what, after)  # type: ignore[no-any-return]


@overload
def pipeline(function: Callable[..., R], /) -> Pipeline[R]: ...
@overload
def pipeline(
    *,
    hourly: str | None = ...,
    daily: str | None = ...,
    weekly: str | None = ...,
    monthly: str | None = ...,
    by_key: dict[str, Sequence[str]] | None = ...,
) -> Callable[[Callable[..., R]], Pipeline[R]]: ...
def pipeline(
    function: Callable[..., Any] | None = None,
    /,
    *,
    hourly: str | None = None,
    daily: str | None = None,
    weekly: str | None = None,
    monthly: str | None = None,
    by_key: dict[str, Sequence[str]] | None = None,
) -> Any:
    """Make a function that calls steps a pipeline.

    Parameters annotated `ms.Dataset` are bound to dataset versions, all others to plain values.

    hourly, daily, weekly, monthly: the parameter that names the hour (`2026-01-31T09`), day (`2026-01-31`), week
        (its Monday) or month (`2026-01`) that a run is of.
    by_key: the parameter that names the key that a run is of, and all keys: `{"country": ["de", "fr"]}`.
    """
    units = {
        PartitionUnit.HOUR: hourly,
        PartitionUnit.DAY: daily,
        PartitionUnit.WEEK: weekly,
        PartitionUnit.MONTH: monthly,
    }
    found = [Partitions(parameter=name, unit=unit) for unit, name in units.items() if name]
    for name, keys in (by_key or {}).items():
        found.append(Partitions(parameter=name, unit=PartitionUnit.KEY, keys=tuple(keys)))
    if len(found) > 1:
        raise Invalid(
            "a pipeline is run by one parameter",
            code="bad_pipeline",
            hint="Give one of hourly=, daily=, weekly=, monthly= and by_key=, with one parameter.",
        )

    def make(target: Callable[..., Any]) -> Pipeline[Any]:
        return Pipeline(target, partitions=found[0] if found else None)

    return make if function is None else make(function)


def type_name(kind: type) -> str:
    """A type as `module.qualified_name`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's annotations as types; one that can't be resolved stays text."""
    try:
        return inspect.get_annotations(function, eval_str=True)
    except Exception:
        # A name that is only imported for type checkers, most often. Types then don't help, nothing more.
        return inspect.get_annotations(function)
