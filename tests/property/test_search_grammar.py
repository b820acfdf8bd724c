"""The search grammar never breaks, and pages never lose or repeat a row."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.app import App
from mainspring.domain.run import Metric
from mainspring.domain.search import parse_filter, parse_order
from mainspring.kernel.errors import Invalid
from mainspring.testing.apps import an_app
from mainspring.tracking.requests import CreateRun, LogBatch, SearchRuns
from mainspring.tracking.search import RUNS

PARTS = [
    "metrics.a", "params.`a b`", 'tags."x"', "run_id", "attributes.start_time", "datasets.name",
    "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "IS", "NULL", "=", "!=", "<", ">=", "(", ")", ",",
    "'x'", '"y"', "1.5", "-1e3", "nan", "'", "`", "\\", "%", " ", "\n", "''", ";", "--",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PARTS), max_size=9).map(" ".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (lambda: parse_filter(text, RUNS), lambda: parse_order([text], RUNS)):
        try:
            parse()
        except Invalid as refused:
            assert refused.message


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = an_app(Path(tmp_path_factory.mktemp("search")) / "home")
    values = [1.0, 1.0, 2.0, math.nan, None, math.inf, -math.inf, -1.0, None, 0.0, math.nan, 1e300]
    for number, value in enumerate(values):
        run = app.call(CreateRun(experiment="0", name=f"r{number % 5}")).id
        metrics = () if value is None else (Metric(key="m", value=value),)
        params = {} if number % 3 == 0 else {"p": str(number % 4)}
        app.call(LogBatch(run=run, metrics=metrics, params=params))
    yield app
    app.close()


FIELDS = ["metrics.m", "params.p", "run_name", "start_time", "end_time", "run_id", "tags.none"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fields=st.lists(
        st.tuples(st.sampled_from(FIELDS), st.sampled_from(["", " ASC", " DESC"])),
        max_size=3,
        unique_by=lambda each: each[0],
    ),
    limit=st.integers(1, 6),
)
def test_pages_together_are_the_whole(runs: App, fields: list[tuple[str, str]], limit: int) -> None:
    order = tuple(field + direction for field, direction in fields)
    whole = [run.id for run in runs.call(SearchRuns(experiments=("0",), order_by=order)).items]

    seen: list[str] = []
    token = None
    while True:
        page = runs.call(
            SearchRuns(experiments=("0",), order_by=order, limit=limit, page_token=token)
        )
        seen += [run.id for run in page.items]
        token = page.next_token
        if token is None:
            break

    assert seen == whole
    assert len(set(seen)) == 12
