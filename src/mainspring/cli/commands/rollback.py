"""`mainspring rollback`: the emergency brake."""

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.command()
@click.argument("service")
@click.option("--why", default="", help="The reason, for the audit log.")
@pass_session
def rollback(session: Session, /, service: str, why: str) -> None:
    """Make the previous champion of SERVICE champion again, at once; a rollout under way ends first."""
    from mainspring.registry.requests import GetModelVersionById
    from mainspring.serving.requests import RollBack

    with session.client() as client:
        deployment = client.call(RollBack(service=service, why=why))
        version = (
            client.call(GetModelVersionById(id=deployment.champion))
            if deployment.champion
            else None
        )
    name = f"{version.model} version {version.number}" if version else "nothing"
    session.show(deployment, [f"{service} is answered by {name} again"])
