"""Candidates are held to their gates beside the champion, with the real models in processes of their own."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import polars as pl

from mainspring.blobs.local import LocalBlobs
from mainspring.config import Settings
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.gate import (
    Gate,
    GateOutcome,
    GateResult,
    SliceBy,
    Slices,
    VersusChampion,
)
from mainspring.domain.model import ModelVersion
from mainspring.reconcile.judge_process import results_of
from mainspring.reconcile.judging import Job, judge_model
from mainspring.testing.models import a_trick_model, a_version_of

ROWS = pl.DataFrame({"x": [float(n % 50) for n in range(300)]}).with_columns(y=pl.col("x") * 2)
GATES = (Gate(metric="mae", max=50.0, versus_champion=VersusChampion()),)


class Bench:
    """Models that answer `factor * x` where the truth is `2 * x`."""

    def __init__(self, tmp_path: Path, rows: pl.DataFrame = ROWS) -> None:
        self.settings = Settings(home=tmp_path)
        self.blobs = LocalBlobs(self.settings.blobs_path)
        buffer = BytesIO()
        rows.write_parquet(buffer)
        self.table = self.blobs.put_bytes(buffer.getvalue())

    def version(self, factor: float, number: int = 1, mae: float = 1.0) -> ModelVersion:
        version = a_version_of(self.blobs, a_trick_model(factor), ROWS.select("x"), number=number)
        return replace(version, metrics={"mae": mae})

    def judge(
        self, candidate: ModelVersion, champion: ModelVersion | None, *, has_table: bool = True
    ) -> GateResult:
        """In this process, but for the models."""
        job = Job(
            blobs=str(self.settings.blobs_path),
            work=str(self.settings.work_path),
            gates=GATES,
            metrics=candidate.metrics,
            candidate=candidate.manifest,
            champion=champion.manifest if champion else None,
            champion_metrics=champion.metrics if champion else None,
            table=self.table if has_table else None,
            target="y",
        )
        (result,) = results_of(job)
        return result


def test_a_better_candidate_passes_with_its_evidence(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    evaluation = Evaluation(table=bench.table, target="y")

    candidate = bench.version(2.0)
    (result,) = judge_model(
        bench.settings,
        GATES,
        candidate.manifest,
        metrics=candidate.metrics,
        champion=bench.version(3.0, number=2),
        evaluation=evaluation,
    )

    assert result.outcome is GateOutcome.PASSED
    assert (result.row_count, result.champion) == (300, 24.5)
    assert "on the same rows 0 against the champion's 24.5" in result.detail


def test_a_worse_candidate_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    result = bench.judge(bench.version(3.0), bench.version(2.0, number=2))

    assert result.outcome is GateOutcome.FAILED


def test_without_a_champion_no_model_is_asked(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    result = bench.judge(bench.version(3.0), None)

    assert result.outcome is GateOutcome.PASSED
    assert "there is no champion" in result.detail


def test_a_champion_that_can_t_answer_leaves_it_open_and_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ROWS.with_columns(x=pl.lit(-3.0)))

    result = bench.judge(bench.version(2.0), bench.version(3.0, number=2))

    assert result.outcome is GateOutcome.INCONCLUSIVE
    assert "ValueError: told to fail" in result.detail


def test_without_held_out_rows_a_comparison_is_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    result = bench.judge(bench.version(2.0), bench.version(3.0, number=2), has_table=False)

    assert result.outcome is GateOutcome.INCONCLUSIVE
    assert "ms.evaluate keeps them" in result.detail


def test_slices_are_cut_by_columns_that_the_model_does_not_take(tmp_path: Path) -> None:
    # The candidate answers 2 * x everywhere, which is wrong for the few rows of the small shop.
    small = pl.int_range(pl.len()) >= 240
    rows = ROWS.with_columns(
        shop=pl.when(small).then(pl.lit("small")).otherwise(pl.lit("large")),
        y=pl.when(small).then(pl.col("x") * 3).otherwise(pl.col("y")),
    )
    bench = Bench(tmp_path, rows)
    slices = Slices(by=(SliceBy(column="shop"),))
    gates = (
        Gate(metric="mae", versus_champion=VersusChampion()),
        Gate(metric="mae", versus_champion=VersusChampion(), slices=slices),
        Gate(metric="mae", max=30.0, slices=slices),
    )
    candidate = bench.version(2.0)

    whole, against, limit = judge_model(
        bench.settings,
        gates,
        candidate.manifest,
        metrics=candidate.metrics,
        champion=bench.version(3.0, number=2),
        evaluation=Evaluation(table=bench.table, target="y"),
    )

    assert whole.outcome is GateOutcome.PASSED
    assert against.outcome is GateOutcome.FAILED
    assert [(each.slice, each.outcome, each.row_count) for each in against.slices] == [
        ("shop = small", GateOutcome.FAILED, 60),
        ("shop = large", GateOutcome.PASSED, 240),
    ]
    assert limit.outcome is GateOutcome.PASSED


def test_limits_of_slices_ask_the_candidate_where_there_is_no_champion(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ROWS.with_columns(shop=pl.lit("a")))
    gates = (Gate(metric="mae", max=1.0, slices=Slices(by=(SliceBy(column="shop"),))),)
    candidate = bench.version(3.0)

    (result,) = judge_model(
        bench.settings,
        gates,
        candidate.manifest,
        metrics=candidate.metrics,
        champion=None,
        evaluation=Evaluation(table=bench.table, target="y"),
    )

    assert result.outcome is GateOutcome.FAILED
    assert result.slices[0].observed == 24.5
