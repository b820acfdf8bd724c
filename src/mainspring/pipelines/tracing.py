"""Turning a pipeline's function into a graph by calling it once with stand-ins for what a run will have."""

import inspect
import math
import types
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, get_origin

from mainspring.domain.partition import Partitions
from mainspring.domain.pipeline import (
    CHOICE,
    WAIT,
    Condition,
    Constant,
    DatasetArgument,
    Graph,
    Node,
    NodeOutput,
    ParameterArgument,
    PipelineParameter,
    WaitFor,
)
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.dataset import Dataset
from mainspring.pipelines.refs import Ref, caller, item_annotation

# What may be annotated where True or False is given: nothing tells more than `bool`.
_TRUTHS = (bool, None, "bool")
_TRACER: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)


class Step(Protocol):
    """What tracing asks of a step; `authoring.Step` is one."""

    name: str
    reference: str
    where: str
    signature: inspect.Signature
    annotations: dict[str, Any]
    retries: int
    retry_delay_seconds: float
    timeout_seconds: float | None
    cpus: int
    memory_bytes: int
    gpus: int
    uses: str
    cache: bool
    retry_on: tuple[str, ...]
    retry_backoff: float
    files: tuple[str, ...]
    env: tuple[str, ...]
    salt: str

    @property
    def output_annotations(self) -> tuple[Any, ...] | None: ...


class Pipeline(Protocol):
    """What tracing asks of a pipeline; `authoring.Pipeline` is one."""

    name: str
    reference: str
    where: str
    annotations: dict[str, Any]
    partitions: Partitions | None

    @property
    def function(self) -> Callable[..., Any]: ...


class Tracer:
    """Collects the nodes of one pipeline while its function is called."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._counts: dict[str, int] = {}
        self._conditions: list[Condition] = []

    def add(
        self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], *, mapped: bool = False
    ) -> Any:
        """Add a call of a step; gives a `Ref`, or a tuple of them for a step that returns a tuple.

        `mapped` runs it once for each item of the lists among its arguments; each `Ref` is to a list then.
        """
        where = caller()
        _check_importable(step, where)
        try:
            bound = step.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise Invalid(
                f"{step.name}(): {error}",
                code="wrong_arguments",
                hint=f"It is {step.name}{step.signature} in {step.where}.",
                where=where,
            ) from error
        over = _mapped(step, bound.arguments, where) if mapped else ()
        node = self._node(step, over)
        for name, value in bound.arguments.items():
            _put(node, step, name, value, where)
        self.nodes.append(node)
        kinds = step.output_annotations
        if kinds is None:
            return _result(node, step, None, step.annotations.get("return"))
        return tuple(_result(node, step, index, kind) for index, kind in enumerate(kinds))

    def choose(self, condition: Any, branches: Mapping[bool, Callable[[], Any]]) -> Any:
        """Draw up both branches, each under its condition; gives a `Ref` to the result of the one taken."""
        where = caller()
        output, parameter = _condition(condition, where)
        results = []
        for wanted, branch in branches.items():
            self._conditions.append(Condition(wanted=wanted, output=output, parameter=parameter))
            try:
                results.append(branch())
            finally:
                self._conditions.pop()
        decided = Condition(wanted=True, output=output, parameter=parameter)
        return self._joined(results, decided, where)

    def wait(self, what: WaitFor, after: tuple[Any, ...]) -> Any:
        """Add a node that waits once the steps that gave `after` have ended; gives a `Ref` to a truth."""
        where = caller()
        sources = [each.source if isinstance(each, Ref) else None for each in after]
        outputs = tuple(source for source in sources if isinstance(source, NodeOutput))
        if len(outputs) != len(after):
            raise Invalid(
                "wait(): it waits after something that is no step's result",
                code="bad_wait",
                hint="Pass what steps returned, before the keywords.",
                where=where,
            )
        node = Node(
            id=self._name("wait"),
            step=WAIT,
            node_outputs={},
            datasets={},
            parameters={},
            constants={},
            node_lists={"after": outputs} if outputs else {},
            conditions=tuple(self._conditions),
            wait=what,
        )
        self.nodes.append(node)
        return Ref(NodeOutput(node=node.id), bool, "what wait() gives")

    def _joined(self, results: list[Any], condition: Condition, where: str) -> Any:
        if all(result is None for result in results):
            return None
        if not all(isinstance(r, Ref) and isinstance(r.source, NodeOutput) for r in results):
            raise Invalid(
                "a branch of when() returns something that is no single step's result",
                code="bad_branch",
                hint="Return what one step returned from every branch, or nothing from all.",
                where=where,
            )
        node = Node(
            id=self._name("when"),
            step=CHOICE,
            node_outputs={},
            datasets={},
            parameters={},
            constants={},
            node_lists={"of": tuple(result.source for result in results)},
            conditions=tuple(self._conditions),
            choice=condition,
        )
        self.nodes.append(node)
        annotations = [result.annotation for result in results]
        same = all(annotation == annotations[0] for annotation in annotations)
        return Ref(
            NodeOutput(node=node.id), annotations[0] if same else None, "the result of when()"
        )

    def _name(self, name: str) -> str:
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return name if count == 1 else f"{name}-{count}"

    def _node(self, step: Step, mapped: tuple[str, ...]) -> Node:
        kinds = step.output_annotations
        return Node(
            id=self._name(step.name),
            step=step.reference,
            mapped=mapped,
            conditions=tuple(self._conditions),
            node_outputs={},
            datasets={},
            parameters={},
            constants={},
            output_count=None if kinds is None else len(kinds),
            retries=step.retries,
            retry_delay_seconds=step.retry_delay_seconds,
            timeout_seconds=step.timeout_seconds,
            cpus=step.cpus,
            memory_bytes=step.memory_bytes,
            gpus=step.gpus,
            uses=step.uses,
            cache=step.cache,
            retry_on=step.retry_on,
            retry_backoff=step.retry_backoff,
            files=step.files,
            env=step.env,
            salt=step.salt,
        )


def current() -> Tracer | None:
    """The tracer of the pipeline that is being drawn up in this thread, if any."""
    return _TRACER.get()


def trace(pipeline: Pipeline) -> Graph:
    """Call a pipeline's function once and write down what it did."""
    if current() is not None:
        raise Invalid("a pipeline is being drawn up already", where=pipeline.where)
    tracer = Tracer()
    parameters, arguments = _parameters(pipeline)
    token = _TRACER.set(tracer)
    try:
        returned = pipeline.function(**arguments)
    finally:
        _TRACER.reset(token)
    if not tracer.nodes:
        raise Invalid(
            f"the pipeline {pipeline.name} calls no step",
            code="empty_pipeline",
            hint="Call functions decorated with @ms.step in it.",
            where=pipeline.where,
        )
    return Graph(
        pipeline=pipeline.reference,
        parameters=parameters,
        nodes=tuple(tracer.nodes),
        outputs=_outputs(pipeline, returned),
        partitions=_partitions(pipeline, parameters),
    )


def place_of(function: Callable[..., Any]) -> str:
    """`file:line` of a function's first line."""
    code = inspect.unwrap(function).__code__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def _parameters(
    pipeline: Pipeline,
) -> tuple[tuple[PipelineParameter, ...], dict[str, Ref]]:
    found: list[PipelineParameter] = []
    arguments: dict[str, Ref] = {}
    for name, parameter in inspect.signature(pipeline.function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _wrong_parameter(pipeline, str(parameter), "must have a name of its own")
        annotation = pipeline.annotations.get(name)
        has_default = parameter.default is not parameter.empty
        if annotation is Dataset:
            if has_default:
                raise _wrong_parameter(pipeline, name, "is a dataset and can't have a default")
            found.append(PipelineParameter(name=name, is_dataset=True))
            arguments[name] = Ref(DatasetArgument(parameter=name), Dataset, f"the dataset {name!r}")
            continue
        default = parameter.default if has_default else None
        if has_default and not is_plain(default):
            raise _wrong_parameter(
                pipeline, name, f"has a default that JSON can't hold: {default!r}"
            )
        found.append(
            PipelineParameter(name=name, is_dataset=False, has_default=has_default, default=default)
        )
        arguments[name] = Ref(
            ParameterArgument(parameter=name), annotation, f"the parameter {name!r}"
        )
    return tuple(found), arguments


def _partitions(pipeline: Pipeline, parameters: tuple[PipelineParameter, ...]) -> Partitions | None:
    """What a pipeline is run by; raises `Invalid` unless that is one of its plain parameters."""
    found = pipeline.partitions
    if found is None:
        return None
    plain = {each.name: each for each in parameters if not each.is_dataset}
    if found.parameter not in plain:
        raise _wrong_parameter(
            pipeline, found.parameter, "is what it is run by, and is none of its own"
        )
    if plain[found.parameter].has_default:
        found.check(plain[found.parameter].default)
    return found


def _put(node: Node, step: Step, name: str, value: Any, where: str) -> None:
    """Note where one argument of a node comes from."""
    wanted = step.annotations.get(name)
    is_mapped = name in node.mapped
    if isinstance(value, Ref):
        _check_kinds(step, name, wanted, _item_of(value) if is_mapped else value, where)
        if isinstance(value.source, NodeOutput):
            node.node_outputs[name] = value.source
        elif isinstance(value.source, DatasetArgument):
            node.datasets[name] = value.source
        else:
            node.parameters[name] = value.source
    elif _has_refs(value):
        node.node_lists[name] = _listed(step, name, value, where)
    elif is_plain(value):
        for item in value if is_mapped else [value]:
            _check_constant(step, name, wanted, item, where)
        node.constants[name] = Constant(value=value)
    else:
        raise Invalid(
            f"{step.name}(): {name} is a {type(value).__name__}, which can't be written into a pipeline",
            code="bad_constant",
            hint="Pass numbers, text, lists and dicts; make anything else inside a step.",
            where=where,
        )


def _mapped(step: Step, arguments: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The parameters that are given a list where the step takes one item."""
    found = tuple(
        name
        for name, value in arguments.items()
        if is_list(value) and not wants_list(step.annotations.get(name))
    )
    if not found:
        raise Invalid(
            f"{step.name}.map(): no argument is a list of what {step.name} takes",
            code="bad_map",
            hint="Say that a step returns a list, `-> list[...]`, or pass a list. A parameter that is "
            "annotated as a list itself is given whole to every item.",
            where=where,
        )
    return found


def is_list(value: Any) -> bool:
    """Whether an argument is a list, or stands for one."""
    return wants_list(value.annotation) if isinstance(value, Ref) else isinstance(value, list)


def wants_list(annotation: Any) -> bool:
    """Whether an annotation asks for a list."""
    return annotation is list or get_origin(annotation) is list


def _item_of(value: Ref) -> Ref:
    return Ref(value.source, item_annotation(value.annotation), f"an item of {value.what}")


def _condition(condition: Any, where: str) -> tuple[NodeOutput | None, str | None]:
    source = condition.source if isinstance(condition, Ref) else None
    if source is not None and condition.annotation in _TRUTHS:
        if isinstance(source, NodeOutput):
            return source, None
        if isinstance(source, ParameterArgument):
            return None, source.parameter
    raise Invalid(
        f"when() can't decide on {condition!r}",
        code="bad_condition",
        hint="Give it a parameter, or the result of a step that returns `bool`.",
        where=where,
    )


def _has_refs(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(item, Ref) or _has_refs(item) for item in value)
    return isinstance(value, dict) and any(
        isinstance(v, Ref) or _has_refs(v) for v in value.values()
    )


def _listed(step: Step, name: str, value: Any, where: str) -> tuple[NodeOutput, ...]:
    if isinstance(value, list | tuple):
        sources = [item.source for item in value if isinstance(item, Ref)]
        outputs = [source for source in sources if isinstance(source, NodeOutput)]
        if len(outputs) == len(value):
            return tuple(outputs)
    raise Invalid(
        f"{step.name}(): {name} mixes results of steps with other things",
        code="bad_collection",
        hint="Pass a list that holds nothing but results of steps.",
        where=where,
    )


def _check_kinds(step: Step, name: str, wanted: Any, given: Ref, where: str) -> None:
    """Refuse a value whose declared type can't be what the step asks for."""
    got = given.annotation
    if not (isinstance(wanted, type) and isinstance(got, type)) or got is Dataset:
        return
    # An int where a float is wanted is fine everywhere in Python.
    if issubclass(got, wanted) or issubclass(wanted, got) or (wanted is float and got is int):
        return
    raise Invalid(
        f"{step.name}(): {name} wants a {wanted.__name__}, but {given.what} is a {got.__name__}",
        code="wrong_arguments",
        hint=f"See {step.where}.",
        where=where,
    )


def _check_constant(step: Step, name: str, wanted: Any, value: Any, where: str) -> None:
    if wanted not in (int, float, str, bool) or (wanted is float and type(value) is int):
        return
    if type(value) is not wanted:
        raise Invalid(
            f"{step.name}(): {name} wants a {wanted.__name__}, but {value!r} is a "
            f"{type(value).__name__}",
            code="wrong_arguments",
            hint=f"See {step.where}.",
            where=where,
        )


def is_plain(value: Any) -> bool:
    """Whether JSON can hold a value and give it back unchanged."""
    if value is None or isinstance(value, str | bool | int):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    if type(value) is list:
        return all(is_plain(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    return False


def _outputs(pipeline: Pipeline, returned: Any) -> tuple[NodeOutput, ...]:
    refs = (
        returned if isinstance(returned, list | tuple) else [] if returned is None else [returned]
    )
    outputs = []
    for ref in refs:
        if not isinstance(ref, Ref) or not isinstance(ref.source, NodeOutput):
            raise Invalid(
                f"the pipeline {pipeline.name} returns {ref!r}, which is no step's result",
                code="bad_pipeline_output",
                hint="Return what steps returned, or nothing.",
                where=pipeline.where,
            )
        outputs.append(ref.source)
    return tuple(outputs)


def _result(node: Node, step: Step, index: int | None, annotation: Any) -> Ref:
    if node.mapped:
        annotation = list if annotation is None else types.GenericAlias(list, (annotation,))
    what = f"the result of {step.name}" + ("" if index is None else f" (number {index})")
    return Ref(NodeOutput(node=node.id, index=index), annotation, what)


def _check_importable(step: Step, where: str) -> None:
    if "<" in step.reference:
        raise Invalid(
            f"{step.name} is defined inside another function, so no process could import it",
            code="nested_step",
            hint="Define steps at the top level of a module.",
            where=where,
        )


def _wrong_parameter(pipeline: Pipeline, name: str, why: str) -> Invalid:
    return Invalid(
        f"the pipeline {pipeline.name}: its parameter {name!r} {why}",
        code="bad_parameter",
        where=pipeline.where,
    )
