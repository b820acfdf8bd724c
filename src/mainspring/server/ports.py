"""Ports: whether one is free, and which one is if any will do."""

import errno
import socket

from mainspring.kernel.errors import Conflict, Invalid


def claim_port(host: str, port: int, option: str) -> int:
    """A port that can be listened on right now; 0 asks for any. Raises `Conflict` if it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: a port whose last connections still linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _explained(error, host, port, option) from error
        return int(probe.getsockname()[1])


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
