"""Where each key of a TOML text stands, which the standard parser does not tell.

The text must have been parsed by `tomllib` before: this scanner relies on it being valid, so it only has
to know where strings, brackets and comments end.
"""

import re

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = " \t\r"
_ENDS_OF_SCALAR = ",]}\n#"


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every key, table header and array element of a valid TOML text.

    >>> key_lines('[service.a]\\nsteps = [\\n 0.1,\\n 1.0]')[("service", "a", "steps", 1)]
    4
    """
    return _Scanner(text).scan()


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest thing around it; 1 if there is nothing.

    >>> line_of({("a",): 3}, ("a", "missing"))
    3
    """
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._lines: dict[Path, int] = {}
        self._array_lengths: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._starts("[["):
                table = self._array_header()
            elif self._starts("["):
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _array_header(self) -> Path:
        self._move(2)
        parts = self._key()
        path = (*self._resolved(parts[:-1]), parts[-1])
        index = self._array_lengths.get(path, 0)
        self._array_lengths[path] = index + 1
        self._note(path)
        self._note((*path, index))
        self._skip_to("]]")
        return (*path, index)

    def _header(self) -> Path:
        self._move(1)
        path = self._resolved(self._key())
        for end in range(1, len(path) + 1):
            self._note(path[:end])
        self._lines[path] = self._line
        self._skip_to("]")
        return path

    def _resolved(self, parts: list[str]) -> Path:
        """A header's keys, with the index of the newest element after each array of tables."""
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in self._array_lengths:
                path = (*path, self._array_lengths[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self._skip_to("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        if self._starts("["):
            self._array(path)
        elif self._starts("{"):
            self._inline_table(path)
        elif self._starts('"') or self._starts("'"):
            self._string()
        else:
            while self._at < len(self._text) and self._char not in _ENDS_OF_SCALAR:
                self._move(1)

    def _array(self, path: Path) -> None:
        self._move(1)
        index = 0
        while self._skip_blank() and self._char != "]":
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            self._skip_comma()
        self._move(1)

    def _inline_table(self, path: Path) -> None:
        self._move(1)
        while self._skip_blank() and self._char != "}":
            self._pair(path)
            self._skip_comma()
        self._move(1)

    def _skip_comma(self) -> None:
        if self._skip_blank() and self._char == ",":
            self._move(1)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip_spaces()
            if self._starts('"') or self._starts("'"):
                parts.append(self._string())
            else:
                found = _BARE.match(self._text, self._at)
                parts.append(found.group() if found else "")
                self._move(len(parts[-1]))
            self._skip_spaces()
            if not self._starts("."):
                return parts
            self._move(1)

    def _string(self) -> str:
        quote = self._char
        fence = quote * 3 if self._starts(quote * 3) else quote
        self._move(len(fence))
        start = self._at
        while not self._starts(fence):
            self._move(2 if self._char == "\\" and quote == '"' else 1)
        # A multi-line string may end in quotes of its own: """a""""".
        while len(fence) == 3 and self._text[self._at + 3 : self._at + 4] == quote:
            self._move(1)
        inner = self._text[start : self._at]
        self._move(len(fence))
        return inner

    def _note(self, path: Path) -> None:
        self._lines.setdefault(path, self._line)

    @property
    def _char(self) -> str:
        return self._text[self._at]

    def _starts(self, prefix: str) -> bool:
        return self._text.startswith(prefix, self._at)

    def _move(self, count: int) -> None:
        self._line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _skip_to(self, end: str) -> None:
        found = self._text.index(end, self._at)
        self._move(found + len(end) - self._at)

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._char in _BLANK:
            self._move(1)

    def _skip_blank(self) -> bool:
        """Skip blanks, line ends and comments; False at the end of the text."""
        while self._at < len(self._text):
            if self._char == "#":
                end = self._text.find("\n", self._at)
                self._move((end if end >= 0 else len(self._text)) - self._at)
            elif self._char in " \t\r\n":
                self._move(1)
            else:
                return True
        return False
