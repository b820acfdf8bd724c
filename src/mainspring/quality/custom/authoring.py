"""What a file of checks is written with."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from mainspring.kernel.errors import Invalid

MARK = "__mainspring_check__"

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def check(function: Function) -> Function: ...
@overload
def check() -> Callable[[Function], Function]: ...
def check(function: Any = None) -> Any:
    """Mark a function as a check of data; a schema names it as `check = "checks.py:its_name"`.

    It is called with the table as a Polars `LazyFrame`, or with the column or columns that the schema names as a
    `Series` each, and with the schema's `arguments` by name. It returns true or false, a number, which the
    schema's bounds judge, or for each row whether it is as it should be (null: not asked). It stays callable, so that a
    test can call it.
    """
    if function is None:
        return check
    if not inspect.isfunction(function):
        raise Invalid(
            f"a check is a function, not a {type(function).__name__}",
            code="bad_check",
            hint="Write @ms.check over a `def`.",
        )
    if not inspect.signature(function).parameters:
        raise Invalid(
            f"the check {function.__name__} takes nothing to check",
            code="bad_check",
            hint="Its first parameter is the table, or a column.",
        )
    setattr(function, MARK, True)
    return function
