"""Changing single keys of a schema file and leaving every other line, comments too, as people wrote them."""

import tomllib

from mainspring.kernel.errors import Invalid
from mainspring.kernel.toml_lines import Path, key_lines


def with_key(text: str, table: Path, key: str, value: str | None) -> str:
    """The text with a key of a table set to a TOML value, or without it if that is None.

    `table` is `()` for the top of the file. Raises `Invalid` if the table is not written as a header of its own.

    >>> with_key('[column.a]\\ntype = "float" # yes\\nmax = 3\\n', ("column", "a"), "max", "4")
    '[column.a]\\ntype = "float" # yes\\nmax = 4\\n'
    """
    lines, places = _lines(text), _places(text)
    there = places.get((*table, key))
    if there is not None:
        end = _end(lines, there - 1)
        new = [] if value is None else [f"{key} = {value}{_comment(lines, there - 1, end)}\n"]
        return "".join([*lines[: there - 1], *new, *lines[end:]])
    if value is None:
        return text
    at = _last_of(lines, places, table)
    if lines and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    return "".join([*lines[:at], f"{key} = {value}\n", *lines[at:]])


def without_table(text: str, table: Path) -> str:
    """The text without a table: its header, its keys and the comments between them."""
    lines, places = _lines(text), _places(text)
    _check_header(lines, places, table)
    begin, end = places[table] - 1, _last_of(lines, places, table)
    while end < len(lines) and not lines[end].strip():
        end += 1
    return "".join([*lines[:begin], *lines[end:]])


def _lines(text: str) -> list[str]:
    """Lines as TOML counts them: only a line feed ends one."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _places(text: str) -> dict[Path, int]:
    """The line of every key, by the name that it means rather than as it is written."""
    return {tuple(map(_meant, path)): line for path, line in key_lines(text).items()}


def _meant(part: str | int) -> str | int:
    if isinstance(part, int) or "\\" not in part:
        return part
    # TOML's escapes are JSON's and a few more; what was written as a literal string has none.
    try:
        return str(tomllib.loads(f'key = "{part}"')["key"])
    except tomllib.TOMLDecodeError:
        return part


def _last_of(lines: list[str], places: dict[Path, int], table: Path) -> int:
    """How many lines there are up to the end of a table's own keys."""
    if table:
        _check_header(lines, places, table)
    own = [line for path, line in places.items() if path[:-1] == table and table]
    if not table:
        own = [
            line
            for path, line in places.items()
            if len(path) == 1 and not lines[line - 1].lstrip().startswith("[")
        ]
        if not own:
            raise Invalid("the schema has no keys of its own", code="uneditable_schema")
    last = max(own, default=places.get(table, 1))
    return max(_end(lines, last - 1), last)


def _check_header(lines: list[str], places: dict[Path, int], table: Path) -> None:
    line = places.get(table)
    if line is None or not lines[line - 1].lstrip().startswith("["):
        raise Invalid(
            "the schema is not written with a header for each table, so it can't be edited by itself",
            code="uneditable_schema",
            hint="Make the changes that are listed by hand.",
        )


def _end(lines: list[str], begin: int) -> int:
    """The line after the value that begins at a line."""
    if lines[begin].lstrip().startswith("["):
        return begin + 1
    for end in range(begin + 1, len(lines) + 1):
        try:
            tomllib.loads("".join(lines[begin:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return begin + 1


def _comment(lines: list[str], begin: int, end: int) -> str:
    """The comment after a value on one line, which stays; of a longer value's none does."""
    if end - begin != 1:
        return ""
    line = lines[begin].rstrip("\n")
    for at, character in enumerate(line):
        if character != "#":
            continue
        try:
            same = tomllib.loads(line[:at]) == tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            continue
        if same:
            return "  " + line[at:]
    return ""
