"""Python source as a person would write it: double quotes, and calls broken where a line would be too long."""

import json

_WIDTH = 100


def literal(value: object) -> str:
    """A value of JSON as Python.

    >>> literal({"a": ["x", True]})
    '{"a": ["x", True]}'
    """
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case dict():
            return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    return repr(value)


def tuple_of(texts: list[str]) -> str:
    """A tuple of texts."""
    inner = ", ".join(map(literal, texts))
    return f"({inner},)" if len(texts) == 1 else f"({inner})"


def call(head: str, arguments: list[str], tail: str = "", *, indent: int = 4) -> list[str]:
    """The lines of a call, on one of them if there is room.

    >>> call("f", ["a", "b=1"], ".g()")
    ['f(a, b=1).g()']
    """
    line = f"{head}({', '.join(arguments)}){tail}"
    if len(line) + indent <= _WIDTH:
        return [line]
    return [f"{head}(", *(f"    {each}," for each in arguments), f"){tail}"]
