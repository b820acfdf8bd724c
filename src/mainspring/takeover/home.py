"""The installation that things are taken over into, as far as taking over needs it."""

from typing import Protocol, TypeVar

from mainspring.blobs.port import BlobStore
from mainspring.domain.request import Request

T = TypeVar("T")


class Home(Protocol):
    """Embedded or behind a URL: both clients are one."""

    blobs: BlobStore

    def call(self, request: Request[T]) -> T: ...
