"""The templates of `dvc.yaml`: `${...}`, `vars`, `foreach` and `matrix`, made into plain stages. Pure."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from mainspring.kernel.errors import Invalid

Values = Mapping[str, Any]
Load = Callable[[str], Any]
"""The content of a file of parameters beside the `dvc.yaml`, or None if there is none."""

_EXPRESSION = re.compile(r"(?<!\\)\$\{(.*?)\}")


def variables(document: Values, load: Load) -> dict[str, Any]:
    """What the templates of a `dvc.yaml` may name: `params.yaml`, and what `vars` lists."""
    found = dict(_mapping(load("params.yaml")))
    _add_vars(found, document.get("vars") or [], load)
    return found


def expanded(document: Values, known: Values, load: Load) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every stage by its name, as it stands once all templates are filled in.

    Raises `Invalid` for an expression that names nothing.
    """
    for name, stage in (document.get("stages") or {}).items():
        if not isinstance(stage, dict):
            raise Invalid(f"the stage {name!r} is no table of settings", code="bad_stage")
        if "foreach" in stage:
            for key, extra in _items(filled(stage["foreach"], known)):
                yield f"{name}@{key}", _stage(stage.get("do") or {}, {**known, **extra}, load)
        elif "matrix" in stage:
            rest = {key: value for key, value in stage.items() if key != "matrix"}
            for key, extra in _combinations(filled(stage["matrix"], known)):
                yield f"{name}@{key}", _stage(rest, {**known, **extra}, load)
        else:
            yield name, _stage(stage, known, load)


def filled(value: Any, known: Values, *, in_command: bool = False) -> Any:
    """A value with its templates filled in.

    >>> filled("train --rate ${rate} ${flags}", {"rate": 0.1, "flags": {"fast": True}}, in_command=True)
    'train --rate 0.1 --fast'
    >>> filled(["${items[1]}"], {"items": [1, 2]})
    [2]
    """
    if isinstance(value, str):
        whole = _EXPRESSION.fullmatch(value)
        if whole is not None and not in_command:
            return _looked_up(whole[1], known)
        text = _EXPRESSION.sub(lambda m: _as_text(_looked_up(m[1], known), m[1]), value)
        return text.replace(r"\${", "${")
    if isinstance(value, list):
        return [filled(item, known, in_command=in_command) for item in value]
    if isinstance(value, dict):
        return {filled(key, known): filled(item, known) for key, item in value.items()}
    return value


def _stage(stage: Values, known: Values, load: Load) -> dict[str, Any]:
    if own := stage.get("vars"):
        known = dict(known)
        _add_vars(known, own, load)
    return {
        key: filled(value, known, in_command=key == "cmd")
        for key, value in stage.items()
        if key != "vars"
    }


def _add_vars(found: dict[str, Any], listed: list[Any], load: Load) -> None:
    for item in listed:
        if isinstance(item, dict):
            _merge(found, item)
            continue
        path, _, keys = str(item).partition(":")
        content = load(path)
        if content is None:
            raise Invalid(f"`vars` names {path}, which is not there", code="no_such_file")
        content = _mapping(content)
        if keys:
            content = {key: content[key] for key in keys.split(",") if key in content}
        _merge(found, content)


def _merge(into: dict[str, Any], more: Values) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = dict(into[key])
            _merge(into[key], value)
        else:
            into[key] = value


def _items(over: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What `foreach` goes through: the end of each stage's name, and what it knows besides."""
    if isinstance(over, dict):
        for key, item in over.items():
            yield str(key), {"item": item, "key": key}
    elif isinstance(over, list):
        is_plain = not any(isinstance(item, dict | list) for item in over)
        for number, item in enumerate(over):
            yield (_plain(item) if is_plain else str(number)), {"item": item}
    else:
        raise Invalid(f"`foreach` goes through a list or table, not {over!r}", code="bad_stage")


def _combinations(over: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    lists = [[(key, at, value) for at, value in enumerate(values)] for key, values in over.items()]
    for combination in product(*lists):
        parts = [
            f"{key}{at}" if isinstance(value, dict | list) else _plain(value)
            for key, at, value in combination
        ]
        item = {key: value for key, _at, value in combination}
        yield "-".join(parts), {"item": item, "key": "-".join(parts)}


def _looked_up(expression: str, known: Values) -> Any:
    value: Any = known
    for part in expression.strip().replace("[", ".").replace("]", "").split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, dict) and part.lstrip("-").isdigit() and int(part) in value:
            value = value[int(part)]
        else:
            raise Invalid(
                f"${{{expression}}} names nothing that is known",
                code="unknown_variable",
                hint="It must be in params.yaml or in `vars`.",
            )
    return value


def _as_text(value: Any, expression: str) -> str:
    if isinstance(value, dict):
        return " ".join(_flags(value))
    if isinstance(value, list):
        raise Invalid(f"${{{expression}}} is a list, and stands inside a text", code="bad_template")
    return _plain(value)


def _flags(value: Values, prefix: str = "") -> Iterator[str]:
    for key, item in value.items():
        match item:
            case dict():
                yield from _flags(item, f"{prefix}{key}.")
            case bool():
                if item:
                    yield f"--{prefix}{key}"
            case list():
                yield f"--{prefix}{key} " + " ".join(shlex.quote(str(each)) for each in item)
            case _:
                yield f"--{prefix}{key} {shlex.quote(str(item))}"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def joined(folder: str, path: str) -> str:
    """A path as it is named in a folder, from the root of the repository.

    >>> joined("data/raw", "../rides.csv")
    'data/rides.csv'
    """
    parts: list[str] = []
    for part in PurePosixPath(folder, path).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts).replace("//", "/", 1) if parts[:1] == ["/"] else "/".join(parts)


def shown(value: Any) -> str:
    """A parameter's value as a run keeps it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
