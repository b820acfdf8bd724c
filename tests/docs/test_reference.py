"""Everything that can be asked, happen, fail or be set is documented, and the pages are up to date."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from mainspring.kernel.errors import KINDS
from mainspring.operations.operation import Operation
from mainspring.operations.table import OPERATIONS


def load() -> ModuleType:
    path = Path(__file__).with_name("reference.py")
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load()


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    page = reference.FOLDER / name

    assert page.exists(), "make it: python tests/docs/reference.py"
    assert page.read_text() == reference.pages()[name], (
        "make it anew: python tests/docs/reference.py"
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=[op.name for op in OPERATIONS])
def test_every_operation_says_in_one_sentence_what_it_does(operation: Operation) -> None:
    first = operation.summary.partition(". ")[0]

    assert operation.request.__doc__
    assert 10 < len(first) < 200
    assert operation.summary.rstrip().endswith((".", ":"))
    assert operation.summary[0].isupper()


@pytest.mark.parametrize("event", reference.events(), ids=lambda event: event.__name__)
def test_every_event_names_what_it_is_about(event: type) -> None:
    assert event.subject in event.__dataclass_fields__  # type: ignore[attr-defined]
    assert f"## {event.__name__}\n" in reference.pages()["events.md"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_error_is_documented(kind: str) -> None:
    assert (KINDS[kind].__doc__ or "").strip()
    assert f"| `{kind}` |" in reference.pages()["errors.md"]


def test_every_setting_is_documented() -> None:
    undocumented = [field.name for field, text in reference.settings_documented() if not text]

    assert undocumented == []
