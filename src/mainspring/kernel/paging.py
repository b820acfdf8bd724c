"""Pages cut at a key, not at an offset: deep pages cost the same and rows don't shift under writes."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from mainspring.kernel.errors import Invalid

T = TypeVar("T")

Key = list[str | int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of the rows, and the token that asks for those after them (`None`: no more)."""

    items: Sequence[T]
    next_token: str | None = None


def token_of(key: Key) -> str:
    """An opaque token for the key of a page's last row.

    >>> key_of(token_of(["2026-01-01", 7]))
    ['2026-01-01', 7]
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of(token: str) -> Key:
    """The key inside a token; raises `Invalid` for a token that we never gave."""
    try:
        padded = token + "=" * (-len(token) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Key)
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise Invalid(
            "this page token was not given by this server", code="bad_page_token"
        ) from error
