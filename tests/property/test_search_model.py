"""Searches for runs on both databases, against the same search written down naively in Python."""

import math
import operator
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.app import App
from mainspring.domain.run import DatasetInput, Metric, Run, RunStatus
from mainspring.testing.apps import an_app, clock_of
from mainspring.tracking.requests import (
    CreateRun,
    GetRun,
    LogBatch,
    LogInputs,
    SearchRuns,
    UpdateRun,
)

TEXTS = ("1", "2", "a", "A", "ab", "a%", "a_c", "it's", "[1]", "*", "ä", "\\", "")
NUMBERS = (-math.inf, -1.0, -0.5, 0.0, 0.5, 1.0, 1e300, math.inf, math.nan)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass
class Model:
    """An installation, and what was written into it."""

    app: App
    runs: list[Run] = field(default_factory=list)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Model]:
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    home: Path = tmp_path_factory.mktemp("model") / "home"
    app = an_app(home, database=database)
    source = random.Random(7)
    found = Model(app)
    for number in range(60):
        found.runs.append(_a_run(app, source, number))
    yield found
    app.close()


def _a_run(app: App, source: random.Random, number: int) -> Run:
    # Some begin at the same time, some in the same millisecond.
    clock_of(app).advance(timedelta(microseconds=source.choice((0, 0, 100, 5000))))
    run = app.call(CreateRun(experiment="0", name=source.choice(TEXTS) or f"n{number}")).id
    metrics = [
        Metric(key=key, value=source.choice(NUMBERS)) for key in "ab" if source.random() < 0.8
    ]
    params = {"p": source.choice(TEXTS)} if source.random() < 0.7 else {}
    tags = {"t.x": source.choice(TEXTS)} if source.random() < 0.7 else {}
    app.call(LogBatch(run=run, metrics=tuple(metrics), params=params, tags=tags))
    if source.random() < 0.5:
        app.call(UpdateRun(run=run, status=source.choice((RunStatus.FINISHED, RunStatus.FAILED))))
    for name in source.sample(("d1", "d2"), source.choice((0, 0, 1, 2))):
        tag = ("mlflow.data.context", source.choice(("training", "test")))
        item = DatasetInput(name=name, digest="x", source_type="local", source="s", tags=(tag,))
        app.call(LogInputs(run=run, datasets=(item,)))
    return app.call(GetRun(run=run))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _milliseconds(instant: Any) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1_000_000) // 1000


def _pattern_matches(text: str, pattern: str, *, ignores_case: bool) -> bool:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, text, re.DOTALL | re.IGNORECASE * ignores_case) is not None


def _text_matches(text: str, sign: str, value: str) -> bool:
    if sign in ("LIKE", "ILIKE"):
        return _pattern_matches(text, value, ignores_case=sign == "ILIKE")
    return COMPARE[sign](text, value)


Test = Callable[[Run], bool]
SIGNS = st.sampled_from(["=", "!=", "LIKE", "ILIKE"])


@st.composite
def clauses(draw: st.DrawFn) -> tuple[str, Test]:
    """A clause as text, and as a function."""
    kind = draw(st.sampled_from(["metric", "pair", "null", "text", "time", "dataset", "list"]))
    if kind == "metric":
        key, sign = draw(st.sampled_from("ab")), draw(st.sampled_from(sorted(COMPARE)))
        value = draw(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1e300]))
        return f"metrics.{key} {sign} {value}", lambda run: any(
            COMPARE[sign](m.value, value) for m in run.metrics if m.key == key
        )
    if kind == "time":
        sign, offset = draw(st.sampled_from(sorted(COMPARE))), draw(st.integers(-1, 60))
        at = 1_767_225_600_000 + offset
        return f"attributes.start_time {sign} {at}", lambda run: COMPARE[sign](
            _milliseconds(run.started_at), at
        )
    if kind == "list":
        names = draw(st.lists(st.sampled_from(["d1", "d2"]), min_size=1, max_size=2))
        negated = draw(st.booleans())
        text = f"dataset.name {'NOT IN' if negated else 'IN'} ({', '.join(map(_quoted, names))})"
        return text, lambda run: any((i.name in names) != negated for i in run.inputs)
    sign = draw(SIGNS)
    value = draw(st.sampled_from([*TEXTS, "%a%", "_", "A%"]))
    if kind == "dataset":
        value = draw(st.sampled_from(["training", "t%", "TEST"]))
        return f"datasets.context {sign} {_quoted(value)}", lambda run: any(
            _text_matches(dict(i.tags)["mlflow.data.context"], sign, value) for i in run.inputs
        )
    if kind == "text":
        return f"run_name {sign} {_quoted(value)}", lambda run: _text_matches(run.name, sign, value)
    name, read = draw(
        st.sampled_from(
            [("params.p", lambda r: r.params.get("p")), ("tag.`t.x`", lambda r: r.tags.get("t.x"))]
        )
    )
    if kind == "null":
        is_null = draw(st.booleans())
        return (
            f"{name} IS {'' if is_null else 'NOT '}NULL",
            lambda run: (read(run) is None) == is_null,
        )
    return (
        f"{name} {sign} {_quoted(value)}",
        lambda run: read(run) is not None and _text_matches(read(run), sign, value),
    )


def _metric(key: str) -> Callable[[Run], float | None]:
    return lambda run: next((m.value for m in run.metrics if m.key == key), None)


FIELDS: dict[str, Callable[[Run], Any]] = {
    "metrics.a": _metric("a"),
    "metric.b": _metric("b"),
    "params.p": lambda run: run.params.get("p"),
    'tags."t.x"': lambda run: run.tags.get("t.x"),
    "attributes.start_time": lambda run: run.started_at,
    "end_time": lambda run: run.ended_at,
    "run_name": lambda run: run.name,
    "status": lambda run: run.status.value,
}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _in_order(runs: Sequence[Run], order: Sequence[tuple[str, bool]]) -> list[str]:
    found = sorted(runs, key=lambda run: run.id)
    if not any(name == "attributes.start_time" for name, _ in order):
        order = [*order, ("attributes.start_time", True)]
    for name, is_descending in reversed(order):
        read = FIELDS[name]
        lacks = [run for run in found if read(run) is None]
        nan = [run for run in found if read(run) is not None and _is_nan(read(run))]
        has = [run for run in found if read(run) is not None and not _is_nan(read(run))]
        # Python keeps equals in their order also when it sorts backwards.
        has.sort(key=read, reverse=is_descending)
        found = [*has, *nan, *lacks]
    return [run.id for run in found]


@settings(max_examples=25)
@given(
    wanted=st.lists(clauses(), max_size=3),
    order=st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True).flatmap(
        lambda names: st.tuples(*(st.tuples(st.just(name), st.booleans()) for name in names))
    ),
    limit=st.integers(1, 25),
)
def test_searches_find_what_they_say_in_the_order_that_they_say_page_by_page(
    model: Model,
    wanted: list[tuple[str, Test]],
    order: tuple[tuple[str, bool], ...],
    limit: int,
) -> None:
    expected = _in_order([run for run in model.runs if all(test(run) for _, test in wanted)], order)

    found: list[str] = []
    token: str | None = None
    while True:
        page = model.app.call(
            SearchRuns(
                experiments=("0",),
                filter=" AND ".join(text for text, _ in wanted),
                order_by=tuple(f"{name} {'DESC' if down else 'ASC'}" for name, down in order),
                limit=limit,
                page_token=token,
            )
        )
        found += [run.id for run in page.items]
        token = page.next_token
        if token is None:
            break

    assert found == expected
