import socket

import pytest

from mainspring.kernel.errors import Conflict, Invalid
from mainspring.server.listen import listen, url_of


def test_port_zero_picks_a_free_one() -> None:
    with listen("127.0.0.1", 0, option="--port") as listening:
        port = listening.getsockname()[1]

        assert url_of(listening, "127.0.0.1") == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_port_in_use_says_how_to_choose_another() -> None:
    with listen("127.0.0.1", 0, option="--port") as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Conflict, match=f"port {port}") as caught:
            listen("127.0.0.1", port, option="--port")

    assert caught.value.code == "port_in_use"
    assert "--port" in str(caught.value.hint)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "fe80::1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(Invalid):
        listen(host, 0, option="--port")


def test_everywhere_is_reached_on_loopback() -> None:
    with listen("0.0.0.0", 0, option="--port") as listening:
        assert url_of(listening, "0.0.0.0").startswith("http://127.0.0.1:")
