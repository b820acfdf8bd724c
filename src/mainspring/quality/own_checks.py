"""Asking a table what its owner's own checks ask: functions in their process, queries that find failing rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mainspring.domain.data_type import DataType
from mainspring.domain.schema import Expectation
from mainspring.kernel.durations import parse_duration
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.quality.catalogue.entries import arguments_of
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.custom.code import CUSTOM
from mainspring.quality.custom.outcome import Outcome, Task
from mainspring.quality.custom.run import run_checks
from mainspring.quality.forest import is_usual
from mainspring.quality.sql import failing_rows

if TYPE_CHECKING:
    import polars as pl

QUERY = "query_to_find_no_failing_rows"
OUTLIERS = "rows_to_not_be_outliers"


class OwnChecks:
    """What the owner's checks said of a table; `masks` are their answers for each row, one column each."""

    def __init__(
        self,
        table: "pl.LazyFrame",
        types: Mapping[str, DataType],
        asked: Sequence[Expectation],
        around: Surroundings,
    ) -> None:
        self.masks: list[pl.Series] = []
        self._types = types
        self._outcomes: list[tuple[Expectation, Outcome]] = []
        self._ask_functions(table, [e for e in asked if e.that == CUSTOM], around)
        for expectation in asked:
            if expectation.that == QUERY:
                self._outcomes.append((expectation, self._queried(table, expectation, around)))
            if expectation.that == OUTLIERS:
                self._outcomes.append((expectation, self._set_apart(table, expectation)))

    def outcome(self, expectation: Expectation) -> Outcome:
        """What became of one of them; raises `Invalid` if it came to nothing."""
        found = next(found for asked, found in self._outcomes if asked is expectation)
        if found.error is not None:
            raise Invalid(found.error, code="check_failed")
        return found

    def beside(self, table: "pl.LazyFrame") -> "pl.LazyFrame":
        """The table with the answers for each row as columns more."""
        import polars as pl

        if not self.masks:
            return table
        return pl.concat([table, pl.DataFrame(self.masks).lazy()], how="horizontal")

    def _ask_functions(
        self, table: "pl.LazyFrame", asked: Sequence[Expectation], around: Surroundings
    ) -> None:
        if not asked:
            return
        answers = run_checks(table, [_task(expectation) for expectation in asked], around.code)
        for expectation, (answer, mask) in zip(asked, answers, strict=True):
            outcome = Outcome(
                passed=answer.passed,
                number=answer.number,
                column=None if mask is None else self._kept(mask),
                error=answer.error,
            )
            self._outcomes.append((expectation, outcome))

    def _queried(
        self, table: "pl.LazyFrame", expectation: Expectation, around: Surroundings
    ) -> Outcome:
        try:
            rows, count = failing_rows(
                str(expectation.arguments.get("query", "")), table, around.other
            )
        except MainspringError as error:
            return Outcome(error=error.message)
        if rows is None:
            return Outcome(number=float(count))
        return Outcome(column=self._kept(rows))

    def _set_apart(self, table: "pl.LazyFrame", expectation: Expectation) -> Outcome:
        try:
            given = arguments_of(expectation)
            columns = given["columns"] or [n for n, t in self._types.items() if t.is_numeric]
            for name in columns:
                if name not in self._types or not self._types[name].is_numeric:
                    raise Invalid(f"{name!r} is no column of numbers", code="not_numeric")
            if not columns:
                raise Invalid("the table has no numbers", code="not_numeric")
            return Outcome(column=self._kept(is_usual(table, columns, given["score"])))
        except MainspringError as error:
            return Outcome(error=error.message)

    def _kept(self, mask: "pl.Series") -> str:
        name = f"#check {len(self.masks)}"
        while name in self._types:
            name += "#"
        self.masks.append(mask.alias(name))
        return name


def _task(expectation: Expectation) -> Task:
    given = arguments_of(expectation)
    file, _, function = str(given["check"]).rpartition(":")
    column = given["column"]
    return Task(
        file=file,
        function=function,
        columns=[*([column] if column else ()), *(given["columns"] or ())],
        arguments=given["arguments"] or {},
        where=expectation.where,
        timeout_seconds=parse_duration(given["timeout"]).total_seconds(),
    )
