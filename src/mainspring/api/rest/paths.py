"""Finding what answers a method and a path.

Paths are matched before they are percent-decoded, segment by segment, so a name with a slash in it stays
one segment (`/models/a%2Fb`) and can't reach another route.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote, unquote

from mainspring.kernel.errors import Invalid, NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern(Generic[T]):
    """A path's segments; those in `fields` (by position) stand for anything."""

    segments: tuple[str, ...]
    fields: dict[int, str]
    methods: dict[str, T]

    def matches(self, segments: list[str]) -> bool:
        return all(
            position in self.fields or segment == segments[position]
            for position, segment in enumerate(self.segments)
        )


class MethodNotAllowed(Invalid):
    """The path is right and the method is not; `allowed` are those that are."""

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(
            f"{method[:20]} does not fit {path}",
            code="method_not_allowed",
            hint=f"It takes {' or '.join(allowed)}.",
        )
        self.allowed = allowed


class Paths(Generic[T]):
    """A table from `GET /models/{model}` to what answers it; fixed segments win over fields."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[_Pattern[T]]] = {}

    def add(self, route: str, value: T) -> None:
        """Add a route; raises `ValueError` if it is taken."""
        method, path = route.split(" ")
        segments = tuple(path.strip("/").split("/"))
        fields = {i: s[1:-1] for i, s in enumerate(segments) if s.startswith("{")}
        patterns = self._by_length.setdefault(len(segments), [])
        shape = [s if i not in fields else "{}" for i, s in enumerate(segments)]
        for pattern in patterns:
            same = [s if i not in pattern.fields else "{}" for i, s in enumerate(pattern.segments)]
            if same == shape and pattern.fields == fields:
                if method in pattern.methods:
                    raise ValueError(f"two operations answer {route}")
                pattern.methods[method] = value
                return
        patterns.append(_Pattern(segments=segments, fields=fields, methods={method: value}))
        patterns.sort(key=lambda pattern: len(pattern.fields))

    def find(self, method: str, raw_path: str) -> tuple[T, dict[str, str]]:
        """What answers, with the path's fields; raises `NotFound` or `MethodNotAllowed`."""
        segments = raw_path.strip("/").split("/")
        allowed: list[str] = []
        for pattern in self._by_length.get(len(segments), ()):
            if not pattern.matches(segments):
                continue
            value = pattern.methods.get("GET" if method == "HEAD" else method)
            if value is not None:
                return value, {n: _decoded(segments[i]) for i, n in pattern.fields.items()}
            allowed += pattern.methods
        if allowed:
            raise MethodNotAllowed(method, "/" + raw_path.strip("/")[:200], sorted(set(allowed)))
        raise NotFound(
            f"nothing answers /{raw_path.strip('/')[:200]}",
            code="no_such_path",
            hint="/api/v1/openapi.json lists what does.",
        )


def filled(path: str, fields: dict[str, str]) -> str:
    """A path with its fields filled in, percent-encoded so that `Paths.find` gives them back.

    >>> filled("/models/{model}/versions", {"model": "a/b"})
    '/models/a%2Fb/versions'
    """
    for name, value in fields.items():
        # A segment of dots alone would be taken for a relative path on the way.
        encoded = quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")
        path = path.replace("{" + name + "}", encoded)
    return path


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise Invalid("the path is not UTF-8", code="bad_path") from error
