"""`mainspring why` and `mainspring plan`: what was run again, what would be, and what made it so."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.run import pairs, value_of
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.pipeline import KeyChange, StepReason

_LONGEST = 60


@click.command()
@click.argument("run", metavar="RUN[/STEP]")
@pass_session
def why(session: Session, /, run: str) -> None:
    """Tell why each step of RUN was run or found in the cache: which of its code, inputs or settings changed.

    A step is compared with the most alike result that it had before.
    """
    from mainspring.pipelines.requests import ExplainRun

    run_id, _, node = run.partition("/")
    with session.client() as client:
        reasons = client.call(ExplainRun(run=run_id, node=node or None))
    session.show(reasons, folded_lines(reasons))


@click.command()
@click.argument("pipeline")
@click.option("--data", "data", multiple=True, metavar="PARAMETER=DATASET[@NUMBER]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with the code.  [default: here]",
)
@pass_session
def plan(
    session: Session,
    /,
    *,
    pipeline: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    project: Path,
) -> None:
    """Tell what `mainspring run PIPELINE` would do, step by step, without running it.

    Options are those of `mainspring run`. A step whose inputs come from a step that would be run can't be
    foretold: it is found in the cache after all if the new inputs equal the old ones.
    """
    from mainspring.pipelines.preview import preview

    with session.app() as app:
        found = preview(
            app.call,
            app.blobs,
            app.settings,
            pipeline,
            project=project.absolute(),
            data=dict(pairs("--data", data)),
            params={name: value_of(text) for name, text in pairs("--param", params)},
        )
    lines = folded_lines(found.reasons, would=True)
    lines += [f"{name}: depends on what the steps before it give" for name in found.unknown]
    session.show(found, lines)


def folded_lines(reasons: "Iterable[StepReason]", *, would: bool = False) -> list[str]:
    """Every step's fate; items of a mapped step that share theirs in one line."""
    from itertools import groupby

    def fate(reason: "StepReason") -> tuple[str, tuple[str, ...]]:
        return reason.node.partition("[")[0], tuple(reason_lines(reason, would=would))

    lines: list[str] = []
    for (node, told), group in groupby(reasons, fate):
        same = [reason.node for reason in group]
        name = same[0] if len(same) == 1 else f"{node}, {len(same)} items"
        lines += [f"{name}: {told[0]}", *told[1:]]
    return lines


def reason_lines(reason: "StepReason", *, would: bool = False) -> Iterator[str]:
    """A step's fate in a few words, and below them what had changed."""
    from mainspring.domain.pipeline import StepState

    ran = "would run" if would else "was run"
    if reason.state is StepState.CACHED:
        yield f"same as in {reason.compared_with}"
    elif reason.state is StepState.SKIPPED:
        yield f"skipped, as {reason.detail}"
    elif reason.is_first:
        yield f"{ran}, for the first time"
    elif reason.changes:
        yield f"{ran}; changed since {reason.compared_with}:"
        yield from (f"  {line}" for line in change_lines(reason.changes))
    elif reason.detail:
        yield f"{ran}; {reason.detail}"
    elif reason.state is StepState.SUCCEEDED:
        yield "put together from other steps' results"
    else:
        yield reason.state.value


def change_lines(changes: "Iterable[KeyChange]") -> Iterator[str]:
    """Changed parts of a cache key in words."""
    for change in changes:
        kind, _, name = change.part.partition(":")
        what = {
            "code": f"the code of {name}",
            "file": f"the file {name}",
            "distribution": name,
            "input": f"the input {name}",
            "value": f"{name}",
            "times": f"the times that {name} declares",
            "env": f"the variable {name}",
        }.get(kind, change.part)
        if change.before is None:
            yield f"{what} is new{_as(kind, change.after)}"
        elif change.after is None:
            yield f"{what} is gone"
        elif kind in ("distribution", "value", "python", "salt", "format", "outputs"):
            yield f"{what}: {_short(change.before)} -> {_short(change.after)}"
        else:
            yield f"{what} changed"


def _as(kind: str, value: str | None) -> str:
    return f": {_short(value)}" if value and kind in ("distribution", "value") else ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
