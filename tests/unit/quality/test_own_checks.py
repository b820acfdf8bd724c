"""Checks that people write themselves: what they may answer, and that they harm nothing when they fail."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import mainspring as ms
from mainspring.domain.check import CheckReport, CheckResult
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import Checking
from mainspring.quality.custom.code import code_beside, files_of
from mainspring.quality.schema_file import parse_schema

CODE = """
import os, sys, time
import numpy as np
import polars as pl
import mainspring as ms
from pathlib import Path

@ms.check
def at_most(fare, limit):
    return fare <= limit

@ms.check
def expression(table):
    return pl.col("fare") > 3

@ms.check
def array(fare, tip):
    return fare.to_numpy() > tip.to_numpy()

@ms.check
def share_above(table, limit):
    return table.select((pl.col("fare") > limit).mean()).collect().item()

@ms.check()
def has_rows(table):
    print("a check may print")
    return table.collect().height > 0

@ms.check
def rows_here(fare):
    return len(fare)

@ms.check
def raises(table):
    return {}["no such key"]

@ms.check
def hangs(table):
    time.sleep(1000)

@ms.check
def dies(table):
    os.kill(os.getpid(), 9)

@ms.check
def leaves(table):
    sys.exit("enough")

@ms.check
def says_nothing(table):
    pass

@ms.check
def too_few(table):
    return [True]

@ms.check
def nan(table):
    return float("nan")

@ms.check
def sees_secrets(table):
    return any(name.startswith("MAINSPRING_") for name in os.environ)

def unmarked(table):
    return True
"""

TABLE = pl.DataFrame({"fare": [2.0, 3.0, 4.0, 5.0, 300.0, None], "tip": [1.0, 1, 9, 1, 1, 1]})


def asking(*, more: str = "", **wanted: object) -> str:
    lines = ["[[expect]]"]
    lines += [f"{key} = {value!r}" for key, value in wanted.items()]
    return "\n".join([*lines, more, ""])


def function(function_: str, more: str = "", **wanted: object) -> str:
    return asking(that="custom_check_to_pass", check=f"checks.py:{function_}", more=more, **wanted)


def query(sql: str, **wanted: object) -> str:
    return asking(that="query_to_find_no_failing_rows", query=sql, **wanted)


@pytest.fixture
def checking(tmp_path: Path) -> Callable[..., Checking]:
    (tmp_path / "checks.py").write_text(CODE)

    def check(*expectations: str, table: pl.DataFrame = TABLE) -> Checking:
        head = 'dataset = "rides"\nallow_extra_columns = true\n'
        schema = parse_schema(head + "\n".join(expectations))
        return Checking(schema, table, around=Surroundings(code=code_beside(schema, [tmp_path])))

    return check


def results(report: CheckReport) -> list[CheckResult]:
    return [
        result for result in report.results if result.check not in ("row-count", "extra-column")
    ]


def test_a_check_answers_for_each_row_with_what_its_library_has(
    checking: Callable[..., Checking],
) -> None:
    by_column, by_expression, by_array = results(
        checking(
            function("at_most", "arguments = { limit = 4 }", column="fare", mostly=0.6),
            function("expression"),
            function("array", columns=["fare", "tip"]),
        ).report()
    )

    # A null answer is no answer: the row without a fare is not asked about.
    assert (by_column.failed_row_count, by_column.row_count, by_column.passed) == (2, 5, True)
    assert (by_expression.failed_row_count, by_expression.passed) == (2, False)
    assert [row["#"] for row in by_expression.examples] == [0, 1]
    assert (by_array.failed_row_count, by_array.row_count) == (2, 6)
    assert by_array.title == "checks.py:array"


def test_where_says_which_rows_a_check_sees(checking: Callable[..., Checking]) -> None:
    rows, count = results(
        checking(
            function(
                "at_most", "arguments = { limit = 4 }", column="fare", where="tip = 1 AND fare > 2"
            ),
            function("rows_here", column="fare", where="tip > 1", min_value=1.0, max_value=1.0),
        ).report()
    )

    assert (rows.failed_row_count, rows.row_count) == (2, 3)
    assert [row["#"] for row in rows.examples] == [3, 4]
    assert (count.passed, count.value) == (True, 1.0)


def test_a_number_is_held_to_its_bounds(checking: Callable[..., Checking]) -> None:
    limit = "arguments = { limit = 4 }"
    within, beyond, unjudged, yes = results(
        checking(
            function("share_above", limit, max_value=0.5),
            function("share_above", limit, max_value=0.3, name="few long rides"),
            function("share_above", limit),
            function("has_rows"),
        ).report()
    )

    assert (within.passed, within.value, within.expected) == (True, 0.4, "at most 0.5")
    assert (beyond.passed, beyond.title) == (False, "few long rides")
    assert (
        unjudged.observed == "can't be checked: it returned 0.4; give min_value, max_value or both"
    )
    assert (yes.passed, yes.observed) == (True, "true")


def test_rows_that_fail_a_check_are_kept_apart(checking: Callable[..., Checking]) -> None:
    found = checking(
        function("expression", severity="quarantine"),
        query("SELECT * FROM data WHERE fare > 100", severity="quarantine", name="too dear"),
    )

    report, split = found.report(), found.split()

    assert (report.passed, report.quarantined_row_count) == (True, 3)
    assert split is not None
    good, bad = (part.collect() for part in split)
    assert good["fare"].to_list() == [4.0, 5.0, None]
    assert good.columns == TABLE.columns
    assert bad["reason"].to_list() == ["checks.py:expression"] * 2 + ["too dear"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raises", "it raised KeyError: 'no such key' (checks.py:"),
        ("hangs", "no answer within 1 s"),
        ("dies", "its process ended (signal SIGKILL)"),
        ("leaves", "it raised SystemExit: enough (checks.py:"),
        ("says_nothing", "it returned a NoneType; a check returns true or false, a number"),
        ("too_few", "it returned 1 answers for 6 rows"),
        ("nan", "it returned NaN"),
        ("unmarked", "checks.py has no check 'unmarked'; marked with @ms.check are at_most,"),
        ("absent", "checks.py has no check 'absent'"),
    ],
)
def test_a_check_that_fails_costs_only_itself(
    checking: Callable[..., Checking], name: str, why: str
) -> None:
    bad, good = results(
        checking(function(name, timeout="1s", severity="quarantine"), function("has_rows")).report()
    )

    assert not bad.passed
    # It could not say which rows to keep apart, so none may come in.
    assert bad.severity.value == "block"
    assert bad.observed.startswith(f"can't be checked: {why}")
    assert good.passed


def test_a_check_sees_none_of_our_settings(
    checking: Callable[..., Checking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_TOKEN", "secret")

    (result,) = results(checking(function("sees_secrets")).report())

    assert result.observed == "false"


def test_code_that_is_nowhere_fails_its_checks_alone(tmp_path: Path) -> None:
    schema = parse_schema(
        'dataset = "rides"\n[column.fare]\ntype = "float"\n' + function("has_rows")
    )
    table = TABLE.select(pl.col("fare").drop_nulls())

    report = Checking(
        schema, table, around=Surroundings(code=code_beside(schema, [tmp_path]))
    ).report()

    assert [r.observed for r in report.blocking] == [
        "can't be checked: there is no checks.py, which the schema names for its checks"
    ]
    assert files_of(schema) == ("checks.py",)
    with pytest.raises(NotFound, match=r"no checks\.py"):
        code_beside(schema, [tmp_path])(tmp_path / "elsewhere")


def test_a_query_finds_failing_rows_or_groups(checking: Callable[..., Checking]) -> None:
    table = pl.DataFrame({"id": [1, 1, 2], "fare": [1.0, 2, 3]})
    rows, groups, twice, none = results(
        checking(
            query("SELECT d._row, d.id FROM data d WHERE fare > 1", mostly=0.5),
            query("SELECT id, count(*) AS n FROM data GROUP BY id HAVING count(*) > 1"),
            query(
                "WITH twice AS (SELECT id FROM data GROUP BY id HAVING count(*) > 1) "
                "SELECT * FROM data WHERE id IN (SELECT id FROM twice)"
            ),
            query("SELECT * FROM data WHERE fare > 9"),
            table=table,
        ).report()
    )

    assert (rows.failed_row_count, rows.row_count, rows.passed) == (2, 3, False)
    assert (groups.passed, groups.observed, groups.value) == (False, "1 row", 1)
    assert [row["#"] for row in twice.examples] == [0, 1]
    assert none.passed


@pytest.mark.parametrize(
    ("sql", "severity", "why"),
    [
        ("SELECT * FROM data WHERE", "block", "the query fails: "),
        ("SELECT * FROM read_csv('/etc/passwd')", "block", "a query reads no files"),
        ("SELECT nothing FROM data", "block", "the query fails: "),
        ("SELECT fare FROM data", "quarantine", "the query gives no `_row`"),
        ("SELECT * FROM elsewhere", "block", "no other tables are at hand"),
    ],
)
def test_a_query_that_can_not_be_asked_fails(
    checking: Callable[..., Checking], sql: str, severity: str, why: str
) -> None:
    (result,) = results(checking(query(sql, severity=severity)).report())

    assert (result.passed, result.severity.value) == (False, "block")
    assert result.observed.startswith(f"can't be checked: {why}")


def test_a_check_stays_a_function_that_a_test_can_call() -> None:
    @ms.check
    def positive(column: pl.Series) -> pl.Series:
        return column > 0

    assert positive(pl.Series([1, -1])).to_list() == [True, False]
    with pytest.raises(Invalid, match="takes nothing to check"):
        ms.check(lambda: True)
    with pytest.raises(Invalid, match="not a int"):
        ms.check(5)  # type: ignore[call-overload] # what is refused


@pytest.mark.parametrize(
    "name", ["../checks.py:f", "/checks.py:f", "checks:f", "checks.py", "a.py:f()"]
)
def test_a_schema_names_a_function_of_a_file_below_it(name: str) -> None:
    text = 'dataset = "rides"\n' + asking(that="custom_check_to_pass", check=name)

    with pytest.raises(Invalid, match="check"):
        parse_schema(text)
