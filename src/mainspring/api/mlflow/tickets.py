"""Signed, expiring addresses: whoever holds one may do the one thing it says, without showing a token.

MLflow's clients send parts of files, and read ranges of them, by plain requests that carry no login. A ticket
is what is allowed, as JSON, and a keyed digest of that; the key never leaves the home.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from starlette.requests import Request

from mainspring.api.address import local_secrets
from mainspring.config import Settings
from mainspring.domain.actor import Actor
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Denied, Invalid

SIGNED = "/api/2.0/mlflow-artifacts/signed/"
LONGEST = timedelta(days=7)


class PartTicket(msgspec.Struct, frozen=True, kw_only=True, tag="part"):
    """Send one part of an upload."""

    upload: str
    number: int


class FileTicket(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """Store a whole file at a location, as whoever asked for the ticket."""

    location: str
    actor: Actor


class ReadTicket(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """Read bytes, whole or in ranges."""

    digest: Digest
    name: str


Ticket = PartTicket | FileTicket | ReadTicket


class _Signed(msgspec.Struct, frozen=True, kw_only=True):
    ticket: Ticket
    until: datetime


@dataclass(frozen=True, slots=True)
class Tickets:
    """Signs and reads tickets with a home's key."""

    key: bytes

    def sign(self, ticket: Ticket, until: datetime) -> str:
        """A ticket as it stands in an address."""
        said = base64.urlsafe_b64encode(encode(_Signed(ticket=ticket, until=until))).rstrip(b"=")
        return f"{said.decode()}.{self._mark(said)}"

    def read(self, text: str, now: datetime) -> Ticket:
        """What a ticket allows; raises `Denied` for one that was not signed here or is too old."""
        said, _, mark = text.partition(".")
        if not hmac.compare_digest(self._mark(said.encode()).encode(), mark.encode()):
            raise Denied("this address was not signed here", code="bad_ticket")
        try:
            content = base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))
        except (binascii.Error, ValueError) as error:
            raise Denied("this address was not signed here", code="bad_ticket") from error
        signed = decode(content, _Signed, what="ticket")
        if now >= signed.until:
            raise Denied("this address has expired", code="bad_ticket", hint="Ask for another one.")
        return signed.ticket

    def _mark(self, said: bytes) -> str:
        return hmac.new(self.key, said, hashlib.sha256).hexdigest()


def tickets_of(home: Path) -> Tickets:
    """Those of a home: all its servers sign alike, also after they start again."""
    secret = local_secrets(home).user.encode()
    return Tickets(hmac.new(secret, b"signed addresses", hashlib.sha256).digest())


def address_of(request: Request, settings: Settings, signed: str) -> str:
    """The whole address of a ticket, for a client that reached us by this request."""
    base = settings.public_url.rstrip("/")
    return f"{base or str(request.base_url).rstrip('/')}{SIGNED}{signed}"


def lifetime(seconds: int) -> timedelta:
    """How long a ticket shall be good; raises `Invalid` beyond a week."""
    if not 1 <= seconds <= LONGEST.total_seconds():
        raise Invalid(
            f"expiration must be between 1 and {LONGEST.total_seconds():.0f} seconds (got {seconds})."
        )
    return timedelta(seconds=seconds)
