"""Reading and writing protocol buffers' text format without their library: enough for schemas, unknown fields kept."""

import re
from typing import Any

from mainspring.kernel.errors import Invalid

Message = dict[str, list[Any]]
"""A message's fields by name, each with its values in order: numbers, texts, enum words and messages."""

_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\s*)*(?:
    (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>[-+]?(?:inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)f?(?![A-Za-z_]))
    |(?P<word>[A-Za-z_][\w.]*|\[[\w./]+\])
    |(?P<sign>[{}<>:;,\[\]])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_DEEPEST = 50


def parse_pbtxt(text: str) -> Message:
    """The fields of a message in text format; raises `Invalid` with the line of what can't be read."""
    return _Reader(text).message(end=None, depth=0)


def one(message: Message, name: str, default: Any = None) -> Any:
    """The last value of a field, as protocol buffers have it; `Any`, since a value has its field's type."""
    values = message.get(name)
    return values[-1] if values else default


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._next = self._scan()

    def message(self, *, end: str | None, depth: int) -> Message:
        if depth > _DEEPEST:
            raise self._error("messages are nested too deep")
        found: Message = {}
        while True:
            kind, token = self._next
            if kind == "end" or (kind == "sign" and token == end):
                if (kind == "end") is not (end is None):
                    raise self._error("a message does not end")
                if end is not None:
                    self._take()
                return found
            if kind != "word":
                raise self._error(f"there is {token!r} where a field's name should be")
            self._take()
            name = token.strip("[]")
            found.setdefault(name, []).extend(self._values(depth))
            while self._next in (("sign", ","), ("sign", ";")):
                self._take()

    def _values(self, depth: int) -> list[Any]:
        if self._next == ("sign", ":"):
            self._take()
        if self._next == ("sign", "["):
            self._take()
            values: list[Any] = []
            while self._next != ("sign", "]"):
                values.append(self._value(depth))
                if self._next == ("sign", ","):
                    self._take()
            self._take()
            return values
        return [self._value(depth)]

    def _value(self, depth: int) -> Any:
        kind, token = self._take()
        match kind, token:
            case "sign", "{":
                return self.message(end="}", depth=depth + 1)
            case "sign", "<":
                return self.message(end=">", depth=depth + 1)
            case "string", _:
                text = _unescaped(token)
                while self._next[0] == "string":
                    text += _unescaped(self._take()[1])
                return text
            case "number", _:
                plain = token.lower().removesuffix("f") if "inf" not in token.lower() else token
                return int(plain) if re.fullmatch(r"[-+]?\d+", plain) else float(plain)
            case "word", "true" | "True" | "t":
                return True
            case "word", "false" | "False":
                return False
            case "word", _:
                return token
        raise self._error(f"there is {token or 'nothing'!r} where a value should be")

    def _take(self) -> tuple[str, str]:
        taken = self._next
        self._next = self._scan()
        return taken

    def _scan(self) -> tuple[str, str]:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            rest = re.sub(r"#[^\n]*", "", self._text[self._at :]).strip()
            if rest:
                raise self._error(f"{rest[:20]!r} can't be read")
            return "end", ""
        self._at = found.end()
        return str(found.lastgroup), found[str(found.lastgroup)]

    def _error(self, what: str) -> Invalid:
        line = self._text.count("\n", 0, self._at) + 1
        return Invalid(f"not in text format: {what}", code="bad_pbtxt", where=f"line {line}")


def _unescaped(quoted: str) -> str:
    def meant(match: re.Match[bytes]) -> bytes:
        code = match[1].decode("latin-1")
        if code[0] in "01234567":
            return bytes([int(code, 8) & 0xFF])
        if code[0] == "x":
            return bytes([int(code[1:], 16)])
        return _PLAIN.get(code, code).encode()

    return _ESCAPE.sub(meant, quoted[1:-1].encode()).decode("utf-8", "replace")


def quoted(text: str) -> str:
    """A text as a literal of the format."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"'
