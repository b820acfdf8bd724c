import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mainspring.server.http import BoundedHttp
from mainspring.testing.web import served


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setattr("mainspring.server.http.HEAD_SECONDS", 0.4)
    application = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    with served(application, http=BoundedHttp) as url:
        address = urlsplit(url)
        with closing(socket.create_connection((address.hostname, address.port))) as connection:
            connection.settimeout(5)
            yield connection


def read_all(connection: socket.socket) -> bytes:
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionError:
        pass  # closed before all that was sent was read
    return data


def send(connection: socket.socket, data: bytes) -> None:
    with suppress(ConnectionError):
        connection.sendall(data)


def test_requests_on_one_connection_are_answered_in_turn(connection: socket.socket) -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    send(connection, post + post + last)

    answers = read_all(connection)
    assert answers.count(b"HTTP/1.1 200") == 3
    assert answers.count(b"600000") == 2


def test_a_head_without_end_is_cut_off(connection: socket.socket) -> None:
    send(connection, b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(64):
        send(connection, b"x" * 65536)

    assert b"200" not in read_all(connection)[:20]


def test_a_head_that_never_comes_to_its_end_is_given_up(connection: socket.socket) -> None:
    send(connection, b"GET / HTTP/1.1\r\nHost: a\r\n")
    began = time.monotonic()

    assert read_all(connection) == b""
    assert time.monotonic() - began < 3


def test_a_slow_body_is_waited_for(connection: socket.socket) -> None:
    send(
        connection, b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
    )
    for byte in (b"a", b"b", b"c", b"d"):
        time.sleep(0.2)
        send(connection, byte)

    assert read_all(connection).endswith(b"\r\n\r\n4")


def test_silence_from_the_start_is_given_up(connection: socket.socket) -> None:
    assert read_all(connection) == b""
