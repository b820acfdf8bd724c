"""The process that holds a candidate to its gates: a `Job` on standard input, results on standard output."""

import sys
from collections.abc import Sequence
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
from mainspring.registry.metrics import Answers
from mainspring.registry.rules import HeldOut, judge
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
    if job.champion is not None and any(gate.versus_champion for gate in job.gates):
        try:
            rows = _held_out(job, job.champion)
        except Unavailable:
            raise
        except MainspringError as error:
            # A comparison that can't be made is inconclusive, which never passes.
            problem = error.message
    results = judge(job.gates, job.metrics, champion=job.champion_metrics, rows=rows)
    return tuple(_told(result, problem) for result in results)


def _told(result: GateResult, problem: str | None) -> GateResult:
    compares = result.gate.versus_champion and result.outcome is GateOutcome.INCONCLUSIVE
    if problem is None or not compares:
        return result
    return replace(result, detail=f"{result.detail} ({problem})")


def _held_out(job: Job, champion: Digest) -> HeldOut:
    if job.table is None or job.target is None:
        raise Invalid("the run kept no held-out rows: ms.evaluate keeps them")
    # Loading a model's libraries takes seconds; both processes do it at the same time.
    with ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(_answers, job, champion, job.table, "champion")
        ours = pool.submit(_answers, job, job.candidate, job.table, "candidate")
        return HeldOut(
            truth=_truth(Path(job.blobs), job.table, job.target),
            candidate=ours.result(),
            champion=theirs.result(),
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


def _truth(blobs_path: Path, table: Digest, target: str) -> Sequence[object]:
    import polars as pl

    blobs = LocalBlobs(blobs_path)
    blobs.verify(table)
    truth: list[object] = pl.read_parquet(blobs.path_of(table), columns=[target])[target].to_list()
    return truth


def _end(status: int, error: MainspringError) -> None:
    sys.stderr.write("\n" + error.message.replace("\n", " ") + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
