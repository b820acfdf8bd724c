"""`mainspring predict`: asking a service from the command line."""

import json
from typing import Any

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.kernel.errors import KINDS, Invalid, Unavailable


@click.command()
@click.argument("service")
@click.argument("rows", required=False)
@click.option("--file", "source", type=click.File("r"), help="JSON with the rows; - is stdin.")
@pass_session
def predict(session: Session, /, service: str, rows: str | None, source: Any) -> None:
    """Ask SERVICE for predictions on ROWS: a JSON object, or a list of them.

    For example: mainspring predict demand '{"hour": 8, "weekday": 2}'
    """
    text = rows if rows is not None else source.read() if source is not None else None
    if text is None:
        raise Invalid("there are no rows", hint="Give them as JSON, or with --file.")
    answer, lines = _ask(session, service, _records(text))
    session.show(answer, lines)
    for prediction in answer.get("parameters", {}).get("prediction_id", [])[:1]:
        rest = "" if len(lines) == 1 else "; --json shows each row's id"
        session.note(f"`mainspring trace {prediction}` tells where it comes from{rest}")


def _ask(session: Session, service: str, records: list[Any]) -> tuple[Any, list[str]]:
    import httpx

    url = f"{_serving_url(session)}/services/{service}/invocations"
    try:
        response = httpx.post(
            url, json={"dataframe_records": records}, headers=_token_of(session), timeout=60
        )
    except httpx.TransportError as error:
        raise Unavailable(
            f"nothing answers at {url}: {error}",
            code="serving_unreachable",
            hint="Start it with `mainspring up` or `mainspring serve`.",
        ) from error
    body = response.json()
    if response.status_code != 200:
        raise _refused(response.status_code, body)
    return body, [str(value) for value in body["predictions"]]


def _token_of(session: Session) -> dict[str, str]:
    token = session.settings.serving_token
    return {"Authorization": f"Bearer {token}"} if token else {}


def _serving_url(session: Session) -> str:
    from mainspring.server.supervisor import is_up, read_state

    settings = session.settings
    state = read_state(settings.home) if is_up(settings.home) else None
    if state is not None:
        return str(state["serving_url"])
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.serving_port}"


def _records(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Invalid(f"the rows are not JSON: {error}", code="malformed_json") from error
    return found if isinstance(found, list) else [found]


def _refused(status: int, body: Any) -> Exception:
    message = str(body.get("message") or body.get("error") if isinstance(body, dict) else body)
    kind = {
        401: "denied",
        404: "not_found",
        429: "unavailable",
        503: "unavailable",
        504: "unavailable",
    }
    return KINDS[kind.get(status, "invalid")](message, code="prediction_refused")
