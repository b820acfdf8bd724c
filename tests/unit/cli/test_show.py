"""Results as text."""

from datetime import UTC, datetime

from mainspring.cli.show import lines_of, table, text_of
from mainspring.domain.actor import Role
from mainspring.governance.requests import Token
from mainspring.kernel.paging import Page


def a_token(name: str) -> Token:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    return Token(
        id=f"tok_{name}",
        name=name,
        role=Role.ADMIN,
        created_at=at,
        expires_at=None,
        revoked_at=None,
    )


def test_many_are_a_table() -> None:
    lines = list(lines_of((a_token("jo"), a_token("alex"))))

    assert lines[0].split() == [
        *("id", "name", "role", "created", "at", "expires", "at", "revoked", "at")
    ]
    assert lines[2].split()[:5] == ["tok_alex", "alex", "admin", "2026-01-02", "03:04:05Z"]


def test_one_is_a_field_a_line() -> None:
    assert "role        admin" in list(lines_of(a_token("jo")))


def test_none_at_all_is_said() -> None:
    assert list(lines_of(())) == ["none"]


def test_a_page_tells_how_to_get_the_next_one() -> None:
    lines = list(lines_of(Page(items=[a_token("jo")], next_token="abc")))

    assert lines[-1] == "(more: --page-token abc)"


def test_a_long_cell_is_cut_and_kept_on_its_line() -> None:
    token = a_token("x" * 100)

    (line,) = [line for line in lines_of([token]) if "tok_" in line]

    assert "…" in line


def test_a_table_without_rows_is_its_header() -> None:
    assert list(table(["a", "b"], [])) == ["a  b"]


def test_values_read_well() -> None:
    assert text_of(1 / 3) == "0.33333"
    assert text_of(()) == "-"
    assert text_of(a_token("jo")) == "tok_jo"
