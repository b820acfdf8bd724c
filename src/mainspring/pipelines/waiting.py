"""What a pipeline can be told to wait for."""

from datetime import UTC, datetime
from typing import Any

from mainspring.domain.pipeline import Graph, ParameterArgument, WaitFor, WaitKind
from mainspring.domain.trigger import event_source
from mainspring.kernel.durations import parse_duration
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.refs import Ref, caller


def wait_for(
    *, approval: str | None, event: str | None, delay: Any, until: Any, timeout: Any
) -> WaitFor:
    """Read what `ms.wait` was given; raises `Invalid`, with the file and line, for what can't be waited for."""
    given = [
        name
        for name, value in (
            ("approval", approval),
            ("event", event),
            ("delay", delay),
            ("until", until),
        )
        if value is not None
    ]
    if len(given) != 1:
        raise _wrong(f"it is told to wait for {' and '.join(given) or 'nothing'}")
    if timeout is not None and given[0] in ("delay", "until"):
        raise _wrong("a time comes by itself, so it takes no timeout")
    limit = None if timeout is None else _seconds("timeout", timeout)
    try:
        if event is not None:
            what = str(event_source(event))
            return WaitFor(kind=WaitKind.EVENT, what=what, timeout_seconds=limit)
        if delay is not None:
            return WaitFor(kind=WaitKind.TIME, delay_seconds=_seconds("delay", delay))
        if until is not None:
            return _until(until)
    except Invalid as error:
        error.where = error.where or caller()
        raise
    if not isinstance(approval, str) or not approval.strip():
        raise _wrong("the approval that it waits for is no question")
    return WaitFor(kind=WaitKind.APPROVAL, what=approval.strip(), timeout_seconds=limit)


def instant_of(given: object) -> datetime:
    """An instant in ISO 8601, in UTC if it names no zone; raises `Invalid` for anything else.

    >>> instant_of("2026-01-01T09:00+02:00").isoformat()
    '2026-01-01T07:00:00+00:00'
    """
    try:
        found = datetime.fromisoformat(str(given))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"{given!r} is no instant to wait until",
            code="bad_instant",
            hint="Write it like 2026-01-31T09:00+01:00.",
        ) from error


def check_no_wait(graph: Graph) -> None:
    """Raise `Invalid` for a pipeline that waits: another scheduler can't be told when to go on."""
    for node in graph.nodes:
        if node.wait is not None:
            raise Invalid(
                f"{graph.pipeline} waits at {node.id}, and another scheduler can't be told when to go on",
                code="can_not_wait",
                hint="Let a worker run it, or make a pipeline of each part and start the second by a trigger.",
            )


def _until(until: Any) -> WaitFor:
    if isinstance(until, Ref):
        if not isinstance(until.source, ParameterArgument):
            raise _wrong(f"it can't wait until {until.what}: that is no parameter")
        return WaitFor(kind=WaitKind.TIME, parameter=until.source.parameter)
    return WaitFor(kind=WaitKind.TIME, until=instant_of(until).isoformat())


def _seconds(name: str, given: Any) -> float:
    if isinstance(given, str):
        return parse_duration(given).total_seconds()
    if isinstance(given, bool) or not isinstance(given, int | float) or not given >= 0:
        raise _wrong(f"{name} is {given!r}; it is seconds, or text such as '2h'")
    return float(given)


def _wrong(message: str) -> Invalid:
    return Invalid(
        f"wait(): {message}",
        code="bad_wait",
        hint="Give one of approval=, event=, delay= and until=.",
        where=caller(),
    )
