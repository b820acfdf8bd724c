"""Holding a candidate to its gates, in processes of their own.

The statistics take an array library, which the controller need not load, and some seconds of computing,
which must not keep other loops waiting. The models themselves run one process further away.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mainspring.config import Settings
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.gate import Gate, GateResult
from mainspring.domain.model import ModelVersion
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, Unavailable

_MODULE = "mainspring.reconcile.judge_process"
# Longer than both models may take to score the rows, so that their own limit tells first.
_TIMEOUT_SECONDS = 1500.0

AGAIN = 75
"""Exit status of a judging process that may succeed another time."""

FAILED = 4
"""Exit status of one that says on its last line of standard error why it can't judge."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a judging process is told on its standard input.

    `champion_metrics` is None if there is no champion. `table` and `target` are None if the evaluation
    kept no held-out rows.
    """

    blobs: str
    work: str
    gates: tuple[Gate, ...]
    metrics: dict[str, float]
    candidate: Digest
    champion: Digest | None = None
    champion_metrics: dict[str, float] | None = None
    table: Digest | None = None
    target: str | None = None


def judge_model(
    settings: Settings,
    gates: Sequence[Gate],
    model: Digest,
    *,
    metrics: Mapping[str, float],
    champion: ModelVersion | None,
    evaluation: Evaluation,
) -> tuple[GateResult, ...]:
    """What the gates say of a model with these metrics; raises `Unavailable` if the judging process was killed."""
    job = Job(
        blobs=str(settings.blobs_path),
        work=str(settings.work_path),
        gates=tuple(gates),
        metrics=dict(metrics),
        candidate=model,
        champion=champion.manifest if champion else None,
        champion_metrics=champion.metrics if champion else None,
        table=evaluation.table,
        target=evaluation.target,
    )
    return _run(job)


def _run(job: Job) -> tuple[GateResult, ...]:
    Path(job.work).mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [sys.executable, "-m", _MODULE, str(os.getpid())],
            input=encode(job),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"judging took more than {_TIMEOUT_SECONDS:.0f} seconds", code="judging_slow"
        ) from error
    if done.returncode < 0:
        raise Unavailable(
            f"the judging process was killed by signal {-done.returncode}", code="judging_killed"
        )
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
        if done.returncode == AGAIN:
            raise Unavailable(f"the candidate could not be judged yet: {said}")
        raise Invalid(f"judging failed: {said}", code="judging_failed")
    return decode(done.stdout, tuple[GateResult, ...], what="gate results")
