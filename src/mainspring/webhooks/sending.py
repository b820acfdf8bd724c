"""One attempt at a delivery: a POST to an address that was looked at before anything is sent.

A webhook's URL comes from a client, so it may aim at what only this machine can reach. The name is resolved
once, every address is judged, and the connection is made to that very address: a name that is answered
otherwise a moment later changes nothing. Redirects are answers like others; no proxy is asked.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult

from mainspring.domain.webhook import SignedDelivery
from mainspring.kernel.errors import Rejected
from mainspring.webhooks.rules import Address, Network, is_own, is_public, parts_of

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
LONGEST_ANSWER = 4096
"""How much of an answer is read; the rest is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt. `is_final`: it would be refused by ourselves every time."""

    status: int | None = None
    response: str = ""
    error: str = ""
    is_final: bool = False


def send(delivery: SignedDelivery, networks: Sequence[Network]) -> Outcome:
    """Send a delivery; never raises for what a receiver or the network does.

    Addresses that are not public are reached only in `networks`, and only there without TLS.
    """
    parts = parts_of(delivery.url)
    try:
        address = _address(parts, networks)
        return _exchange(delivery, parts, address)
    except Rejected as error:
        return Outcome(error=error.message, is_final=True)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(error=f"{type(error).__name__}: {error}"[:500])


def _address(parts: SplitResult, networks: Sequence[Network]) -> Address:
    """Where the name leads; raises `Rejected` if any of its addresses may not be reached."""
    assert parts.hostname is not None
    found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    for address in addresses:
        if is_own(address, networks):
            continue
        if not is_public(address):
            raise Rejected(
                f"{parts.hostname} leads to {address}, which is not a public address; "
                "the setting webhook_networks says which others may be reached",
                code="private_address",
            )
        if parts.scheme != "https":
            raise Rejected(
                "outside the networks of the setting webhook_networks only https is sent",
                code="private_address",
            )
    return addresses[0]


def _exchange(delivery: SignedDelivery, parts: SplitResult, address: Address) -> Outcome:
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, _port(parts))
    sock = socket.create_connection((str(address), _port(parts)), timeout=CONNECT_SECONDS)
    try:
        sock.settimeout(ANSWER_SECONDS)
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
        connection.sock = sock
        # A receiver that gives a byte now and then would never run into a socket's time limit.
        limit = threading.Timer(ANSWER_SECONDS, _cut, (sock,))
        limit.start()
        try:
            return _post(connection, delivery, parts)
        finally:
            limit.cancel()
    finally:
        connection.close()
        sock.close()


def _post(
    connection: http.client.HTTPConnection, delivery: SignedDelivery, parts: SplitResult
) -> Outcome:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "mainspring-webhooks", "Connection": "close"} | delivery.headers
    connection.request("POST", target, body=delivery.body.encode(), headers=headers)
    answer = connection.getresponse()
    text = b""
    # The status has come and says enough, whatever becomes of the rest.
    with contextlib.suppress(OSError, http.client.HTTPException):
        text = answer.read(LONGEST_ANSWER)
    return Outcome(status=answer.status, response=text.decode(errors="replace"))


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
