"""Whatever is sent, the answer is one of ours and never the server's fault."""

import string
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from mainspring.api.address import local_secrets
from mainspring.api.rest.decode import has_body
from mainspring.api.rest.paths import filled
from mainspring.app import App
from mainspring.operations.operation import Operation
from mainspring.operations.table import OPERATIONS
from mainspring.server.control import create_app_on
from mainspring.testing.apps import an_app
from mainspring.testing.web import Browser

JSON = {"Content-Type": "application/json"}

# Text that has broken programs: paths, numbers, markup, SQL, bidirectional marks, and no text at all.
NASTY = (
    "", " ", "null", "0", "-1", "1e999", "../../etc/passwd", "a/b", "a\\b", "%2e%2e", "<script>", "'; --",
    "\u202e", "\ufeff", "\x7f", "é", "🚲", "x" * 5000, "sha256:" + "0" * 64, "2026-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "{}", "true", "a.b:c", "runs:/x", "a\nb",
)  # fmt: skip

texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(alphabet=string.ascii_lowercase + "_-.", max_size=12),
    st.text(max_size=30),
)
numbers = st.one_of(
    st.sampled_from((0, 1, -1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**63, 10**30)), st.integers()
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)

_PLAIN: dict[type, st.SearchStrategy[Any]] = {
    inspect.IntType: numbers,
    inspect.FloatType: st.one_of(st.floats(), st.integers(-5, 5)),
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
    inspect.DateTimeType: st.one_of(texts, st.datetimes().map(lambda at: at.isoformat() + "Z")),
    inspect.StrType: texts,
}


def fitting(info: inspect.Type) -> st.SearchStrategy[Any]:
    """Plain data that is mostly of the shape that a type asks for."""
    plain = _PLAIN.get(type(info))
    if plain is not None:
        return plain
    match info:
        case inspect.Metadata(type=inner):
            return fitting(inner)
        case inspect.StructType(fields=fields) | inspect.DataclassType(fields=fields):
            needed = {f.encode_name: fitting(f.type) for f in fields if f.required}
            optional = {f.encode_name: fitting(f.type) for f in fields if not f.required}
            return st.fixed_dictionaries(needed, optional=optional)
        case inspect.UnionType(types=types):
            return st.one_of([fitting(each) for each in types])
        case inspect.TupleType(item_types=types):
            return st.tuples(*[fitting(each) for each in types])
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return st.lists(fitting(item), max_size=2)
        case inspect.DictType(value_type=value):
            return st.dictionaries(texts, fitting(value), max_size=2)
        case inspect.EnumType(cls=cls):
            return st.sampled_from([each.value for each in cls])
        case _:
            return anything


OPERATION_IDS = [op.name for op in OPERATIONS]
FITTING = {op.name: fitting(inspect.type_info(op.request)) for op in OPERATIONS}


@st.composite
def requests(draw: st.DrawFn, operation: Operation) -> tuple[str, str, dict[str, Any]]:
    """A method, an address and what to send there: near what the operation asks for."""
    given = draw(FITTING[operation.name])
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    path = "/api/v1" + filled(operation.path, {name: str(given.pop(name, "x")) for name in names})
    if draw(st.integers(0, 9)) == 0:
        given = draw(st.dictionaries(texts, anything, max_size=4))
    if not has_body(operation):
        pairs = [(name, str(value)) for name, value in given.items() if value is not None]
        return operation.method, path, {"params": pairs}
    return operation.method, path, {"content": encoded(given), "headers": JSON}


def encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return b"{}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[App, Browser]]:
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    app = an_app(tmp_path_factory.mktemp("home"), database=database)
    # As the home's owner, so that tokens issued on the way don't shut the door.
    secret = local_secrets(app.settings.home).user
    with Browser(create_app_on(app), Authorization=f"Bearer {secret}") as browser:
        yield app, browser
    app.close()


def check_told_well(app: App, response: Any) -> None:
    assert response.status_code < 500, response.text
    assert "Traceback" not in response.text
    assert str(app.settings.home) not in response.text
    if response.status_code >= 400:
        told = response.json()["error"]
        assert told["kind"] in ("invalid", "not_found", "conflict", "rejected", "denied")
        assert told["message"]
        for leak in ("SELECT ", "INSERT ", "sqlalchemy", "psycopg", 'File "'):
            assert leak not in told["message"]


def fuzz(
    operation: Operation, fuzzed: tuple[App, Browser], *, examples: int, derandomize: bool
) -> None:
    app, browser = fuzzed

    @given(requests(operation))
    @settings(
        max_examples=examples,
        derandomize=derandomize,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def holds(request: tuple[str, str, dict[str, Any]]) -> None:
        method, path, sent = request

        check_told_well(app, browser.request(method, path, **sent))

    holds()


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_no_request_makes_an_operation_fail(
    operation: Operation, fuzzed: tuple[App, Browser]
) -> None:
    fuzz(operation, fuzzed, examples=15, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_no_request_of_many_makes_an_operation_fail(
    operation: Operation, fuzzed: tuple[App, Browser]
) -> None:
    fuzz(operation, fuzzed, examples=150, derandomize=False)


@given(
    method=st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"]
    ),
    path=st.text(alphabet=string.printable.replace("#", ""), max_size=40),
    body=st.binary(max_size=200),
    kind=st.sampled_from(["application/json", "application/msgpack", "text/plain", ""]),
)
@settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
def test_no_path_or_body_makes_the_server_fail(
    method: str, path: str, body: bytes, kind: str, fuzzed: tuple[App, Browser]
) -> None:
    _, browser = fuzzed
    try:
        url = httpx.URL("http://127.0.0.1:5000/api/v1/" + path)
    except httpx.InvalidURL:
        return

    response = browser.request(method, str(url), content=body, headers={"Content-Type": kind})

    if "/events/stream" not in url.path and response.content:
        assert response.status_code < 500, response.text
