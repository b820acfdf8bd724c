"""The map does not lie: every path and module that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "ARCHITECTURE.md",
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
PACKAGE = ROOT / "src" / "mainspring"
# `path/` or `path/file.py` in backticks; placeholders such as <room> are no paths.
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|toml|md))`")
# Files that users have, not we.
_USERS = {
    "flow.py",
    "mainspring.toml",
    "rides.schema.toml",
    "queries.py",
    "requests.py",
    "rules.py",
    "port.py",
}


def _named_paths(page: Path) -> set[str]:
    return set(_PATH.findall(page.read_text())) - _USERS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    missing = [
        path
        for path in sorted(_named_paths(page))
        if not (ROOT / path).exists()
        and not (PACKAGE / path).exists()
        and not (page.parent / path).exists()
    ]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]

    assert missing == []
