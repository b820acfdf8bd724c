"""What every request has in common: its type carries the type of its answer."""

from typing import Generic, Protocol, TypeVar

import msgspec

T = TypeVar("T")


class Request(msgspec.Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that can be asked of Mainspring; `Request[ModelVersion]` is answered by a `ModelVersion`.

    A request is imperative (`Promote`), says everything that its use case needs, and is the same value
    whether it came from the command line, HTTP, a page, a loop or a user's script.
    """


class Call(Protocol):
    """Carries a request out, here or on a server: how loops and workers, who hold no store, get things done."""

    def __call__(self, request: Request[T], /) -> T: ...
