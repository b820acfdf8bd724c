"""`mainspring ci`, and the workflows that call it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.ci.workflows import SYSTEMS, workflow_of
from mainspring.cli.commands.run import told
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.cli.ci.verdict import Verdict


class CiGroup(click.Group):
    """A group that checks unless another of its commands is named: `mainspring ci --out report`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or not (args[0] in self.commands or set(args) & set(ctx.help_option_names)):
            args = ["check", *args]
        return super().parse_args(ctx, args)


@click.group(cls=CiGroup)
def ci() -> None:
    """Judge the models that this code makes, as the loop would, here and in every CI system alike.

    `check` may be left out. `init` writes the workflow that calls it.
    """


@ci.command()
@click.argument("file", type=click.Path(path_type=Path), default="mainspring.toml")
@click.option("--service", "services", multiple=True, help="Of these services only.")
@click.option("--data", "data", multiple=True, metavar="DATASET@NUMBER", help="On this version.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.md, junit.xml and verdict.json.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict only.")
@pass_session
def check(
    session: Session,
    /,
    *,
    file: Path,
    services: tuple[str, ...],
    data: tuple[str, ...],
    out: Path | None,
    quiet: bool,
) -> None:
    """Check data, run pipelines and judge their models for the services in FILE; change nothing.

    Data is held to the schemas beside the code. Steps whose results the home's cache knows are not run. Gates
    that compare do so with the champion of the home. An inconclusive gate does not pass. Exit code 1 if
    anything did not pass. Under GitHub Actions the report is added to the job's summary.
    """
    from mainspring.cli.ci.examine import examine
    from mainspring.cli.ci.report import text

    with session.app() as app:
        verdict = examine(
            app,
            file,
            only=services,
            data={each.partition("@")[0]: each for each in data},
            watch=None if quiet else lambda seen: session.note(told(seen)),
        )
    _write(verdict, out)
    session.show(verdict, list(text(verdict)))
    if not verdict.passed:
        raise click.exceptions.Exit(1)


@ci.command()
@click.argument("system", type=click.Choice(SYSTEMS))
@click.option("--force", is_flag=True, help="Replace a workflow that is there.")
@pass_session
def init(session: Session, /, system: str, force: bool) -> None:
    """Write the workflow that calls `mainspring ci` on every change, for SYSTEM.

    Actions are pinned by hash, and it asks for no more rights than it needs.
    """
    from mainspring.kernel.errors import Conflict

    path, content = workflow_of(system)
    if path.exists() and not force:
        raise Conflict(
            f"{path} exists already", code="file_exists", hint="Give --force to replace it."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    session.show(
        {"system": system, "path": str(path)},
        [f"{path}: read it, and say in it where the home with your data is"],
    )


def _write(verdict: "Verdict", out: Path | None) -> None:
    from mainspring.cli.ci.report import junit, markdown
    from mainspring.kernel.codec import encode_text

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.md").write_text(markdown(verdict))
        (out / "junit.xml").write_text(junit(verdict))
        (out / "verdict.json").write_text(encode_text(verdict) + "\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as stream:
            stream.write(markdown(verdict))
