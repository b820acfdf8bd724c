"""`mainspring import dvc`: taking over a DVC repository."""

from pathlib import Path

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.command(name="dvc")
@click.argument("repository", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--name",
    "given",
    multiple=True,
    metavar="PATH=NAME",
    help="Call the data at PATH this, instead of by its path. May be repeated.",
)
@click.option("--experiment", help="Experiment for the runs.  [default: the folder's name]")
@click.option("--all-branches", is_flag=True, help="Also what is in no history of HEAD or a tag.")
@click.option("--local-only", is_flag=True, help="Ask no remote that is not a folder.")
@click.option("--flow", type=click.Path(path_type=Path), help="Write the stages here; must be new.")
@click.option(
    "--dry-run", is_flag=True, help="Say what is there and what is missing; write nothing."
)
@click.option("--verify", is_flag=True, help="Then compare every file of every version.")
@pass_session
def dvc(
    session: Session,
    /,
    *,
    repository: Path,
    given: tuple[str, ...],
    experiment: str | None,
    all_branches: bool,
    local_only: bool,
    flow: Path | None,
    dry_run: bool,
    verify: bool,
) -> None:
    """Take over the DVC repository in the folder REPOSITORY: versions, tags, stages, parameters and metrics.

    It needs no DVC installed, and changes nothing there. Every commit that changed data becomes a version,
    oldest first, each byte verified by its md5. Stopped in the middle, it goes on when run again; run again
    later, it brings what was committed since. The exit code is 3 if bytes of what is checked out are missing.
    """
    from mainspring.kernel.errors import Conflict, NotFound
    from mainspring.takeover.dvc.flow import flow_of
    from mainspring.takeover.dvc.history import open_repository
    from mainspring.takeover.dvc.report import dvc_lines
    from mainspring.takeover.dvc.take import take_over
    from mainspring.takeover.dvc.verify import differences

    names = _names(given)
    opened = open_repository(repository, local_only=local_only)
    if flow is not None and flow.exists():
        raise Conflict(f"{flow} exists already", code="file_exists", hint="Name a new file.")
    with session.client() as client:
        report = take_over(
            opened,
            client,
            names=names,
            experiment=experiment,
            all_branches=all_branches,
            dry_run=dry_run,
            say=session.note,
        )
        if verify:
            session.note("comparing")
            found = differences(opened, client, names=names, all_branches=all_branches)
            report.differences = tuple(found)
    if flow is not None and not dry_run:
        written = flow_of(opened, {each.path: each.name for each in report.datasets.values()})
        flow.write_text(written.text)
        report.flow = str(flow)
        report.left_out = (*report.left_out, *written.left_out)
    session.show(report, list(dvc_lines(report)))
    if report.differences:
        raise Conflict(
            f"{len(report.differences)} things over there are not the same here",
            code="takeover_differs",
            hint="Run it again without --dry-run, and look at what is missing.",
        )
    lacking = [each for each in report.missing if each.is_checked_out]
    if lacking:
        raise NotFound(
            f"bytes of {lacking[0].path} as it is checked out are missing",
            code="objects_missing",
            hint="`dvc fetch --all-commits` over there brings them from its remotes; then run this again.",
        )


def _names(given: tuple[str, ...]) -> dict[str, str]:
    from mainspring.kernel.errors import Invalid

    names = {}
    for each in given:
        path, is_pair, name = each.rpartition("=")
        if not is_pair or not path or not name:
            raise Invalid(f"--name {each} is no PATH=NAME", hint="Like --name data/rides.csv=rides")
        names[path.strip("/")] = name
    return names
