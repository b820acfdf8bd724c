"""Keeping what was exported: its runs need the code for as long as another scheduler holds the source."""

from typing import TYPE_CHECKING

from mainspring.cli.export.plan import Plan, Written
from mainspring.kernel.digests import Digest

if TYPE_CHECKING:
    from mainspring.app import App

_CODE_TAG = "mainspring.exported"


def keep(app: "App", plan: Plan, written: Written) -> None:
    """Record an export as a tracked run that holds the source and the code, so that `gc` spares them.

    Exporting the same code for the same target again adds nothing.
    """
    from mainspring.blobs.trees import read_manifest
    from mainspring.domain.run import RunStatus
    from mainspring.tracking.artifacts import root_of_run
    from mainspring.tracking.requests import CreateRun, RecordArtifact, SearchRuns, UpdateRun

    experiment = _experiment(app, plan.pipeline)
    source = written.source.encode()
    digest = app.blobs.put_bytes(source)
    tag = f"{plan.target} {digest}"
    wanted = f"tags.`{_CODE_TAG}` = '{tag}' AND attributes.status = 'FINISHED'"
    if app.call(SearchRuns(experiments=(experiment,), filter=wanted, limit=1)).items:
        return
    run = app.call(
        CreateRun(
            experiment=experiment,
            name=f"export-{plan.target}",
            tags={_CODE_TAG: tag, "mainspring.project": plan.code},
        )
    )
    root = root_of_run(experiment, run.id)
    manifest = read_manifest(app.blobs, Digest(plan.code))
    files = [("export/source", digest, len(source))]
    files += [("export/code.json", Digest(plan.code), len(app.blobs.read(Digest(plan.code))))]
    files += [(f"code/{e.path}", e.digest, e.size_bytes) for e in manifest.entries]
    for path, each, size in files:
        app.call(RecordArtifact(root=root, path=path, digest=each, size_bytes=size))
    app.call(UpdateRun(run=run.id, status=RunStatus.FINISHED))


def _experiment(app: "App", name: str) -> str:
    from mainspring.kernel.errors import NotFound
    from mainspring.tracking.requests import CreateExperiment, GetExperiment

    try:
        return str(app.call(GetExperiment(name=name)).id)
    except NotFound:
        return str(app.call(CreateExperiment(name=name)).id)
