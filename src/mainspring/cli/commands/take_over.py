"""`mainspring import`: taking over what other tools keep."""

from pathlib import Path

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.group(name="import")
def take_over() -> None:
    """Take over what another tool keeps: ids, numbers, times and bytes as they are there."""


@take_over.command()
@click.option(
    "--tracking-uri",
    required=True,
    help="A server (http://...), a database (sqlite:///mlflow.db, postgresql://...) or a folder (mlruns).",
)
@click.option(
    "--artifact-root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder behind mlflow-artifacts: locations, when a database or folder is read.",
)
@click.option("--mlflow-token", envvar="MLFLOW_TRACKING_TOKEN", default="", show_envvar=True)
@click.option("--mlflow-username", envvar="MLFLOW_TRACKING_USERNAME", default="", show_envvar=True)
@click.option("--mlflow-password", envvar="MLFLOW_TRACKING_PASSWORD", default="", show_envvar=True)
@click.option("--dry-run", is_flag=True, help="Count what is there; write nothing.")
@click.option("--verify", is_flag=True, help="Then compare every value, point and byte.")
@pass_session
def mlflow(
    session: Session,
    /,
    *,
    tracking_uri: str,
    artifact_root: Path | None,
    mlflow_token: str,
    mlflow_username: str,
    mlflow_password: str,
    dry_run: bool,
    verify: bool,
) -> None:
    """Take over a whole MLflow: experiments, runs, metrics, files, logged models and the registry.

    It needs no MLflow installed. Stopped in the middle, it goes on when run again; run again later, it brings
    what came since. What is here already stays as it is. With --verify the exit code says whether
    everything is the same here.
    """
    from dataclasses import replace

    from mainspring.kernel.errors import Conflict
    from mainspring.takeover.mlflow.open import open_source
    from mainspring.takeover.mlflow.report import takeover_lines
    from mainspring.takeover.mlflow.take import take_over as take
    from mainspring.takeover.mlflow.verify import differences

    source = open_source(
        tracking_uri,
        artifact_root,
        username=mlflow_username,
        password=mlflow_password,
        token=mlflow_token,
    )
    try:
        with session.client() as client:
            report = take(source, client, dry_run=dry_run, say=session.note)
            if verify:
                session.note("comparing")
                report = replace(report, differences=tuple(differences(source, client)))
    finally:
        source.close()
    session.show(report, list(takeover_lines(report)))
    if report.differences:
        raise Conflict(
            f"{len(report.differences)} things over there are not the same here",
            code="takeover_differs",
            hint="Run it again without --dry-run, and look at the notes.",
        )
