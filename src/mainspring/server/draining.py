"""A server that answers everything it was sent before it ends."""

import asyncio
import contextlib
import ctypes
import socket
import struct
import time
from collections.abc import Iterator
from types import FrameType

import uvicorn

from mainspring.api.oip.app import PredictApp
from mainspring.server.heart import Heart
from mainspring.server.signals import caught

DRAIN_SECONDS = 1.0
"""How long callers are told to go elsewhere before the port is closed."""

# Of Linux; Python has no name for it.
_SO_ATTACH_FILTER = 26
_LINGER_SECONDS = 0.5
_HANDSHAKE_SECONDS = 0.02
_GRACE_SECONDS = 15
_KEEP_ALIVE_SECONDS = 75


class DrainingServer(uvicorn.Server):
    """uvicorn that answers everything it was sent before it ends.

    By itself it closes idle connections the moment it is told to stop; a request that is on its way on one
    of them is lost. Here every answer first carries `Connection: close` for a while, so that callers leave
    by themselves, and new connections are still accepted meanwhile.
    """

    def __init__(self, app: PredictApp, heart: Heart) -> None:
        self._app = app
        self._heart = heart
        self._drain_until: float | None = None
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with caught(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._drain_until is None:
            self._app.draining = True
            self._drain_until = time.monotonic() + DRAIN_SECONDS
        else:
            # Told twice: whoever asks does not want to wait.
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        self._heart.beat()
        if self._drain_until is not None and (
            not self.server_state.connections or time.monotonic() >= self._drain_until
        ):
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A second handle keeps the port open until uvloop has let go of it: connections that the kernel
        # completed meanwhile would be reset with their requests.
        lasts = [listening.dup() for listening in sockets or []]
        for last in lasts:
            refuse_new_connections(last)
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        while any(listening.fileno() != -1 for listening in sockets or []):
            await asyncio.sleep(0)
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        for last in lasts:
            await self._accept_the_rest(last)
        # Connections that were accepted last may have a request on its way.
        linger_until = time.monotonic() + _LINGER_SECONDS
        while (
            self.server_state.connections
            and time.monotonic() < linger_until
            and not self.force_exit
        ):
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    async def _accept_the_rest(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        accepted = []
        with listening, contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = listening.accept()
                accepted.append(connection)
        for connection in accepted:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def refuse_new_connections(listening: socket.socket) -> None:
    """Let a listening socket finish the handshakes that have begun, and begin no more.

    Whoever connects between the last accept and the close would be reset with its request. Linux can be
    told to ignore connection requests before that; where it can't, that moment stays.
    """
    # Classic BPF on the TCP header: load the flags, keep SYN and ACK, drop SYN alone, pass the rest.
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (0x30, 0, 0, 13),
            (0x54, 0, 0, 0x12),
            (0x15, 0, 1, 0x02),
            (0x06, 0, 0, 0),
            (0x06, 0, 0, 0xFFFFFFFF),
        )
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
