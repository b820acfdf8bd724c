"""The process that holds a candidate to its gates: a `Job` on standard input, results on standard output."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from mainspring.blobs.local import LocalBlobs
from mainspring.domain.gate import GateOutcome, GateResult
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, MainspringError, Unavailable
from mainspring.reconcile.judging import AGAIN, FAILED, Job
from mainspring.registry.metrics import Answers, HeldOut
from mainspring.registry.rules import judge
from mainspring.serving.score import Scores, score
from mainspring.serving.worker import die_with


def main() -> None:
    """Judge one candidate, for as long as the process named on the command line waits for it."""
    die_with(int(sys.argv[1]))
    job = decode(sys.stdin.buffer.read(), Job, what="job")
    try:
        sys.stdout.buffer.write(encode(results_of(job)))
    except Unavailable as error:
        _end(AGAIN, error)
    except MainspringError as error:
        _end(FAILED, error)


def results_of(job: Job) -> tuple[GateResult, ...]:
    """What every gate says, on the same rows for both models where a gate compares them."""
    rows, problem = None, None
    compares = job.champion is not None and any(gate.versus_champion for gate in job.gates)
    if compares or any(gate.slices for gate in job.gates):
        try:
            rows = _held_out(job, job.champion if compares else None)
        except Unavailable:
            raise
        except MainspringError as error:
            # A comparison that can't be made is inconclusive, which never passes.
            problem = error.message
    results = judge(job.gates, job.metrics, champion=job.champion_metrics, rows=rows)
    return tuple(_told(result, problem) for result in results)


def _told(result: GateResult, problem: str | None) -> GateResult:
    from_rows = result.gate.versus_champion or result.gate.slices
    if problem is None or not from_rows or result.outcome is not GateOutcome.INCONCLUSIVE:
        return result
    return replace(result, detail=f"{result.detail} ({problem})")


def _held_out(job: Job, champion: Digest | None) -> HeldOut:
    if job.table is None or job.target is None:
        raise Invalid("the run kept no held-out rows: ms.evaluate keeps them")
    wanted = {by.column for gate in job.gates if gate.slices for by in gate.slices.by}
    columns = _columns(Path(job.blobs), job.table, {job.target, *wanted})
    if job.target not in columns:
        raise Invalid(f"the held-out rows have no column {job.target!r}")
    # Loading a model's libraries takes seconds; both processes do it at the same time.
    with ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(_answers, job, champion, job.table, "champion") if champion else None
        ours = pool.submit(_answers, job, job.candidate, job.table, "candidate")
        return HeldOut(
            truth=columns[job.target],
            candidate=ours.result(),
            champion=theirs.result() if theirs else None,
            columns=columns,
        )


def _answers(job: Job, manifest: Digest, table: Digest, who: str) -> Answers:
    try:
        scores: Scores = score(
            blobs=Path(job.blobs), work=Path(job.work), manifest=manifest, table=table
        )
    except Invalid as error:
        raise Invalid(f"the {who}: {error.message}") from error
    return Answers(
        predictions=scores.predictions,
        scores=None if scores.probabilities is None else np.asarray(scores.probabilities),
        classes=tuple(scores.classes),
    )


def _columns(blobs_path: Path, table: Digest, wanted: set[str]) -> dict[str, list[object]]:
    """Those of the wanted columns that the table has."""
    import polars as pl

    blobs = LocalBlobs(blobs_path)
    blobs.verify(table)
    path = blobs.path_of(table)
    there = [name for name in pl.read_parquet_schema(path) if name in wanted]
    return pl.read_parquet(path, columns=there).to_dict(as_series=False)


def _end(status: int, error: MainspringError) -> None:
    sys.stderr.write("\n" + error.message.replace("\n", " ") + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
