"""What may be listened for and where, how a delivery is signed, and when it is tried again."""

import base64
import hmac
import ipaddress
import re
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

from mainspring.domain.webhook import EVENTS
from mainspring.kernel.errors import Invalid

MAX_ATTEMPTS = 12
_FIRST_WAIT = timedelta(seconds=5)
_LAST_WAIT = timedelta(hours=1)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Statuses that say "not now".
_PASSING = frozenset({408, 425, 429})


def check_name(name: str) -> None:
    """Raise `Invalid` for a name that MLflow's clients could not have given."""
    if not _NAME.match(name):
        raise Invalid(
            f"Webhook name {name[:80]!r} is invalid. It must start and end with a letter or digit, "
            "be less than 63 characters long, and contain only letters, digits, dots (.), "
            "underscores (_), and hyphens (-)."
        )


def check_events(events: Sequence[str]) -> None:
    """Raise `Invalid` unless there are events, and all are known."""
    if not events:
        raise Invalid("Webhook events must be a non-empty list of WebhookEvent objects: [].")
    for event in events:
        if event not in EVENTS:
            raise Invalid(
                f"there is no event {event[:80]!r}", hint=f"There are {', '.join(sorted(EVENTS))}."
            )


def parts_of(url: str) -> SplitResult:
    """A webhook's address, taken apart; raises `Invalid` (code `bad_webhook_url`) for what is none.

    >>> parts_of("https://hooks.example.com/a").hostname
    'hooks.example.com'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url(f"Invalid webhook URL: {error}") from error
    if parts.scheme not in ("https", "http"):
        raise _bad_url(f"Invalid webhook URL scheme: {parts.scheme[:20]!r}.")
    if not parts.hostname or port == 0:
        raise _bad_url("Webhook URL must include a hostname")
    if parts.username is not None or parts.password is not None:
        raise _bad_url("a webhook's URL must not carry a password: use the secret")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _bad_url("a webhook's URL must be of printable ASCII signs; encode others with %")
    return parts


def networks_of(text: str) -> tuple[Network, ...]:
    """The networks of a setting, apart by commas; raises `Invalid`.

    >>> networks_of("10.1.0.0/16, 127.0.0.1")
    (IPv4Network('10.1.0.0/16'), IPv4Network('127.0.0.1/32'))
    """
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise Invalid(
            f"webhook_networks: {error}", hint="Write networks like 10.1.0.0/16, apart by commas."
        ) from error


def is_own(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks that the setting allows."""
    plain = _plain(address)
    return any(plain in network for network in networks)


def is_public(address: Address) -> bool:
    """Whether an address is on the internet at large, whichever way it is written.

    >>> is_public(ipaddress.ip_address("::ffff:169.254.169.254"))
    False
    """
    plain = _plain(address)
    return plain.is_global and not plain.is_multicast


def _plain(address: Address) -> Address:
    """The IPv4 address inside the forms of IPv6 that carry one."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is None and address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return inside
    return address


def signature(secret: str, delivery: str, timestamp: str, body: str) -> str:
    """What MLflow's receivers compute over a delivery: HMAC-SHA256 of `id.timestamp.body`, in base64."""
    digest = hmac.digest(secret.encode(), f"{delivery}.{timestamp}.{body}".encode(), "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def is_heard(status: int | None) -> bool:
    """Whether an answer says that the delivery arrived."""
    return status is not None and 200 <= status < 300


def may_pass(status: int | None) -> bool:
    """Whether what went wrong may be over later: no answer at all, or one that says so."""
    return status is None or status in _PASSING or status >= 500


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling, up to an hour.

    >>> wait_after(1), wait_after(3)
    (datetime.timedelta(seconds=5), datetime.timedelta(seconds=20))
    """
    return min(_FIRST_WAIT * (1 << min(attempts - 1, 20)), _LAST_WAIT)


def _bad_url(message: str) -> Invalid:
    return Invalid(
        message, code="bad_webhook_url", hint="A webhook's URL is like https://host/path."
    )
