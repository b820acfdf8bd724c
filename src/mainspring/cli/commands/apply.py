"""`mainspring apply`: putting a declaration in force."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.apply_triggers import parts_changed, requests_for
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    from mainspring.config import Settings
    from mainspring.domain.pipeline import Graph
    from mainspring.domain.service import Service, ServiceSpec
    from mainspring.kernel.digests import Digest
    from mainspring.sdk.client import Client
    from mainspring.triggers.requests import ApplyTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What applying does, or would do, to one service or trigger: `parts` names what differs from what is in force."""

    state: str
    parts: tuple[str, ...]
    service: str | None = None
    trigger: str | None = None


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default="mainspring.toml")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@click.option(
    "--json-schema", is_flag=True, help="Print the JSON Schema of such files, for editors, and end."
)
@pass_session
def apply(session: Session, /, *, file: Path, dry_run: bool, json_schema: bool) -> None:
    """Declare the services and triggers in FILE, with the code beside it; applying the same again changes nothing.

    The pipeline is drawn up first, so that code that can't run is refused here and not by a loop later.
    """
    if json_schema:
        import json

        from mainspring.services.json_schema import declaration_schema

        click.echo(json.dumps(declaration_schema(), indent=2))
        return
    with session.client() as client:
        changes = apply_declaration(client, session.settings, file, dry_run=dry_run)
    session.show(changes, list(_lines(changes, dry_run)))


def apply_declaration(
    client: "Client", settings: "Settings", file: Path, *, dry_run: bool = False
) -> list[Change]:
    """Put a declaration in force with the code beside it; gives what it changed, one by one.

    Raises `Invalid` before anything is in force if the file, the code or their fit can't be right.
    """
    from mainspring.pipelines.environment import store_environment
    from mainspring.pipelines.graphs import graph_of
    from mainspring.pipelines.snapshot import take_snapshot
    from mainspring.services.declaration import read_declaration

    declared = read_declaration(file)
    specs = declared.services
    folder = (file if file.is_dir() else file.parent).absolute()
    project = take_snapshot(client.blobs, folder)
    environment = store_environment(client.blobs)
    for spec in specs:
        _check_bindings(spec, graph_of(client.blobs, settings, project, spec.pipeline))
    triggers = requests_for(client, settings, declared.triggers, project, environment)
    changes = [_change(client, spec, project, environment) for spec in specs]
    changes += [_trigger_change(client, request) for request in triggers]
    if not dry_run:
        for spec in specs:
            _put_in_force(client, spec, project, environment, folder)
        for request in triggers:
            client.call(request)
    return changes


def _check_bindings(spec: "ServiceSpec", graph: "Graph") -> None:
    """Refuse a declaration that no run of its pipeline could satisfy."""
    datasets = {each.name for each in graph.parameters if each.is_dataset}
    plain = {each.name for each in graph.parameters if not each.is_dataset}
    needed = {each.name for each in graph.parameters if not (each.is_dataset or each.has_default)}
    where = f"service {spec.name}"
    for name in [*sorted(datasets - set(spec.data)), *sorted(set(spec.data) - datasets)]:
        raise Invalid(
            f"the pipeline {spec.pipeline} "
            + (f"needs data for `{name}`" if name in datasets else f"takes no data `{name}`"),
            code="bad_binding",
            where=where,
            hint=f"Its datasets are: {', '.join(sorted(datasets)) or 'none'}.",
        )
    for name in sorted((set(spec.params) - plain) | (needed - set(spec.params))):
        raise Invalid(
            f"the pipeline {spec.pipeline} "
            + (f"needs the parameter `{name}`" if name in needed else f"has no parameter `{name}`"),
            code="bad_binding",
            where=where,
            hint=f"Its parameters are: {', '.join(sorted(plain)) or 'none'}.",
        )


def _change(
    client: "Client", spec: "ServiceSpec", project: "Digest", environment: "Digest"
) -> Change:
    from mainspring.services.requests import GetService

    try:
        before = client.call(GetService(name=spec.name))
    except NotFound:
        return Change(service=spec.name, state="new", parts=())
    parts = [*_differing(before, spec)]
    if before.project != project:
        parts.append("code")
    if before.environment != environment:
        parts.append("environment")
    return Change(service=spec.name, state="changed" if parts else "unchanged", parts=tuple(parts))


def _trigger_change(client: "Client", request: "ApplyTrigger") -> Change:
    parts = parts_changed(client, request)
    state = "new" if parts is None else "changed" if parts else "unchanged"
    return Change(trigger=request.spec.name, state=state, parts=parts or ())


def _differing(before: "Service", spec: "ServiceSpec") -> Iterator[str]:
    for name in type(spec).__dataclass_fields__:
        if getattr(before.spec, name) != getattr(spec, name):
            yield name


def _put_in_force(
    client: "Client",
    spec: "ServiceSpec",
    project: "Digest",
    environment: "Digest",
    folder: Path,
) -> None:
    from mainspring.quality.custom.code import store_code
    from mainspring.quality.requests import AcceptSchema
    from mainspring.quality.schema_file import parse_schema
    from mainspring.services.requests import ApplyService

    # Schemas first: a service should never run a moment on data that its own schema would refuse.
    for dataset, text in spec.expect.items():
        code = store_code(client.blobs, parse_schema(text), [folder])
        client.call(AcceptSchema(dataset=dataset, toml=text, code=code))
    client.call(ApplyService(spec=spec, project=project, environment=environment))


def _lines(changes: list[Change], dry_run: bool) -> Iterator[str]:
    for change in changes:
        parts = f": {', '.join(change.parts)}" if change.parts else ""
        what = f"trigger {change.trigger}" if change.trigger else f"service {change.service}"
        yield f"{what}: {change.state}{parts}"
    if dry_run:
        yield "(dry run: nothing was changed)"
