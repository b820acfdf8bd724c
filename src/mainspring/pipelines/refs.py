"""Stand-ins for values that only a run will have, used while a pipeline is drawn up."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin

from mainspring.domain.pipeline import DatasetArgument, NodeOutput, ParameterArgument
from mainspring.kernel.errors import Invalid

_HERE = str(Path(__file__).parent)

Source = NodeOutput | DatasetArgument | ParameterArgument


class Ref:
    """Stands for a value that only a run will have: a step's result, a dataset, a parameter."""

    __slots__ = ("annotation", "source", "what")

    def __init__(self, source: Source, annotation: Any, what: str) -> None:
        self.source = source
        self.annotation = annotation
        self.what = what

    def __repr__(self) -> str:
        return f"<{self.what}>"

    def __hash__(self) -> int:
        return id(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"its attribute {name!r} is not known yet")

    def _refuse(self, why: str, hint: str | None = None) -> NoReturn:
        raise Invalid(
            f"{self.what} has no value while the pipeline is being drawn up: {why}",
            code="unresolved_value",
            hint=hint
            or "A pipeline says which step gets what. Decide and calculate inside a step, and pass "
            "the value to it.",
            where=caller(),
        )


def item_annotation(annotation: Any) -> Any:
    """What `list[T]` says of its items; None if it says nothing."""
    arguments = get_args(annotation)
    return arguments[0] if get_origin(annotation) is list and arguments else None


_REASONS = {
    "bool": (
        "its truth is not known, so `if` can't decide on it",
        "Use ms.when(condition, then=..., otherwise=...) to run one step or another.",
    ),
    "iter": (
        "it can't be unpacked or looped over",
        "A step that returns several values says so: `-> tuple[pl.DataFrame, pl.DataFrame]`. To run a step "
        "for each item of a list, use its map(): `train.map(fold=folds)`.",
    ),
}


def _refusing(operation: str) -> Callable[..., Any]:
    def refuse(self: Ref, *_: Any) -> Any:
        why, hint = _REASONS.get(operation, (f"it can't be used in `{operation}`", None))
        self._refuse(why, hint)

    return refuse


for _name, _operation in {
    "bool": "bool", "iter": "iter", "len": "len()", "getitem": "[...]", "contains": "in",
    "call": "(...)", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "add": "+", "radd": "+", "sub": "-", "rsub": "-", "mul": "*", "rmul": "*", "truediv": "/",
    "rtruediv": "/", "floordiv": "//", "rfloordiv": "//", "mod": "%", "rmod": "%", "pow": "**",
    "rpow": "**", "neg": "-", "abs": "abs()", "int": "int()", "float": "float()", "index": "[...]",
    "round": "round()", "str": "str()", "format": "an f-string", "and": "&", "rand": "&", "or": "|",
    "ror": "|", "invert": "~", "enter": "with",
}.items():  # fmt: skip
    setattr(Ref, f"__{_name}__", _refusing(_operation))


def caller() -> str:
    """`file:line` of the nearest frame in the user's code."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
