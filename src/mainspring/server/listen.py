"""A listening socket, or a clear reason why there is none."""

import errno
import socket

from mainspring.kernel.errors import Conflict, Invalid

_BACKLOG = 1024


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """Listen on an address; port 0 picks a free one. Raises `Conflict` (`port_in_use`) or `Invalid`.

    `option` is the flag that chooses the port, for the hint.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except socket.gaierror as error:
        raise Invalid(
            f"{host!r} is not an address of this machine", hint="Choose another with --host."
        ) from error
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        # Connections of a server that just ended may linger; they don't hold the port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise _explained(error, host, port, option) from error
    return listening


def url_of(listening: socket.socket, host: str) -> str:
    """The address to go to; one that listens everywhere is reached on loopback."""
    port = listening.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _explained(error: OSError, host: str, port: int, option: str) -> Conflict | Invalid:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"port {port} on {host} is in use",
            code="port_in_use",
            hint=f"Stop what uses it, or give another with {option} (0 picks a free one).",
        )
    return Invalid(
        f"can't listen on {host}:{port}: {error.strerror or error}",
        code="bad_address",
        hint=f"Give an address of this machine with --host and a port of your own with {option}.",
    )
