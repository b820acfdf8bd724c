"""The graph of a pipeline in a code snapshot, drawn up in a process of its own and remembered."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.domain.pipeline import Graph
from mainspring.kernel.codec import canonical, decode, digest_of
from mainspring.kernel.digests import Digest, hex_part
from mainspring.kernel.errors import KINDS, Invalid, MainspringError
from mainspring.pipelines.child import clean_environment
from mainspring.pipelines.environment import current_environment
from mainspring.pipelines.snapshot import materialise, unwritable

_TIMEOUT_SECONDS = 120.0


def graph_of(blobs: BlobStore, settings: Settings, project: Digest, pipeline: str) -> Graph:
    """Draw up `module:function` of a snapshot; the same code in the same environment is drawn up once.

    The user's module is imported in a process of its own. Raises `Invalid` with the file and line if it
    can't be imported, has no such pipeline, or the pipeline can't become a graph.
    """
    module, _, name = pipeline.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), *name.split(".")]):
        raise Invalid(
            f"{pipeline!r} names no pipeline",
            code="bad_pipeline_name",
            hint="Write it as module:function, such as flow:demand.",
        )
    key = digest_of([project, pipeline, current_environment()])
    kept = settings.work_path / "graphs" / f"{hex_part(key)}.json"
    # After a power cut the file may be there and empty; it is drawn up again then.
    with suppress(FileNotFoundError, Invalid):
        return decode(kept.read_bytes(), Graph, what="graph")
    folder = materialise(blobs, project, settings.work_path)
    try:
        graph = _draw_up(folder, settings, pipeline)
        kept.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(kept, canonical(graph))
    except OSError as error:
        raise unwritable(error, settings.work_path) from error
    return graph


def _draw_up(folder: Path, settings: Settings, pipeline: str) -> Graph:
    with tempfile.TemporaryDirectory(dir=settings.work_path, prefix="trace-") as scratch:
        answer = Path(scratch) / "answer.json"
        command = [sys.executable, "-m", "mainspring.pipelines.trace_process"]
        arguments = [str(folder), pipeline, str(answer), str(os.getpid())]
        try:
            done = subprocess.run(
                [*command, *arguments],
                env=clean_environment(os.environ),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Invalid(
                f"importing {pipeline.partition(':')[0]} took more than {_TIMEOUT_SECONDS:.0f} seconds",
                code="slow_import",
                hint="Work belongs inside steps; a module only defines them.",
            ) from error
        if not answer.exists():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
            raise Invalid(
                f"importing {pipeline.partition(':')[0]} ended the process "
                f"(exit status {done.returncode}): {' / '.join(last)}",
                code="import_died",
            )
        return _graph_in(json.loads(answer.read_bytes()))


def _graph_in(answer: dict[str, Any]) -> Graph:
    if error := answer.get("error"):
        raise _error(error)
    return decode(json.dumps(answer["graph"]), Graph, what="graph")


def _error(told: dict[str, Any]) -> MainspringError:
    return KINDS.get(told["kind"], Invalid)(
        told["message"], code=told["code"], hint=told["hint"], where=told["where"]
    )


def _write_whole(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
        stream.write(data)
    os.replace(stream.name, path)
