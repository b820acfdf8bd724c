"""A real headless Chromium for tests of the pages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

_PATHS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
# Containers have no user namespaces for its sandbox; the rest keeps it from calling home.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

NewContext = Callable[..., "BrowserContext"]
"""Makes a browser context: `width`, `scheme` (`light`, `dark`) and what Playwright takes."""


@contextmanager
def running_chromium() -> "Iterator[Browser]":
    """Start the installed Chromium; raises `FileNotFoundError` if there is none."""
    from playwright.sync_api import sync_playwright

    path = next((path for path in _PATHS if Path(path).exists()), None)
    if path is None:
        raise FileNotFoundError("Chromium is not installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=list(_OPTIONS)
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page whose console, errors and requests are noted."""

    page: "Page"
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _console(self, message: "ConsoleMessage") -> None:
        # A page that there is not is tested, too; the browser mentions its status.
        if message.type in ("error", "warning") and "status of 404" not in message.text:
            self.problems.append(message.text)
