"""`mainspring rollback`: the emergency brake."""

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.command()
@click.argument("service")
@click.option("--why", default="", help="The reason, for the audit log.")
@click.option(
    "--even-if-unanswered",
    is_flag=True,
    help="End also a first rollout, after which nothing answers for SERVICE.",
)
@pass_session
def rollback(session: Session, /, service: str, why: str, even_if_unanswered: bool) -> None:
    """Go back, at once: end the rollout of SERVICE that is under way; without one, restore the champion before.

    A rollout that is ended leaves the champion as it is. Give the command twice to end a rollout and go back
    from the champion too. A first rollout has no champion to leave the traffic to: ending it has to be asked for
    with --even-if-unanswered.
    """
    from mainspring.registry.requests import GetModelVersionById
    from mainspring.serving.requests import GetDeployment, RollBack

    with session.client() as client:
        before = client.call(GetDeployment(service=service))
        deployment = client.call(
            RollBack(service=service, why=why, even_if_unanswered=even_if_unanswered)
        )
        version = (
            client.call(GetModelVersionById(id=deployment.champion))
            if deployment.champion
            else None
        )
    name = f"{version.model} version {version.number}" if version else None
    if before is not None and before.rollout is not None:
        who = f"{service} is answered by {name}" if name else f"nothing answers for {service}"
        lines = [f"the rollout is ended; {who}"]
    else:
        lines = [f"{service} is answered by {name} again"]
    session.show(deployment, lines)
