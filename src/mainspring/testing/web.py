"""An HTTP client for an ASGI application in this process, and a real server in a thread."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp

BASE_URL = "http://127.0.0.1:5000"


class Browser:
    """Sends requests to an application without a socket; cookies are kept, redirects are not followed."""

    def __init__(self, application: "ASGIApp", **headers: str) -> None:
        import httpx

        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(application, raise_app_exceptions=False),
            base_url=BASE_URL,
            headers=headers,
        )

    def request(self, method: str, url: str, **given: Any) -> "httpx.Response":
        """Send one request and wait for all of its answer."""
        return self._runner.run(self._client.request(method, url, **given))

    def get(self, url: str, **given: Any) -> "httpx.Response":
        return self.request("GET", url, **given)

    def post(self, url: str, **given: Any) -> "httpx.Response":
        return self.request("POST", url, **given)

    def put(self, url: str, **given: Any) -> "httpx.Response":
        return self.request("PUT", url, **given)

    def delete(self, url: str, **given: Any) -> "httpx.Response":
        return self.request("DELETE", url, **given)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def served(application: "ASGIApp", **settings: Any) -> Iterator[str]:
    """Serve an application on a free port of loopback until the block ends; gives its address.

    `settings` are uvicorn's.
    """
    import uvicorn

    config = uvicorn.Config(
        application,
        port=0,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        **settings,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline and thread.is_alive():
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=15)
