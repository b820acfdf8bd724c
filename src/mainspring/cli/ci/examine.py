"""Looking at a project: its declaration, data, pipelines and the models that come out."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.cli.ci.verdict import (
    Case,
    MetricChange,
    Outcome,
    ServiceVerdict,
    Verdict,
    verdict_of,
)
from mainspring.kernel.errors import MainspringError, NotFound

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.domain.dataset import DatasetVersion
    from mainspring.domain.evaluation import Evaluation
    from mainspring.domain.gate import GateResult
    from mainspring.domain.model import ModelVersion
    from mainspring.domain.pipeline import LogLine, PipelineRun, StepAttempt
    from mainspring.domain.service import ServiceSpec

Watch = Callable[["StepAttempt | LogLine"], None]


def examine(
    app: "App",
    file: Path,
    *,
    only: tuple[str, ...] = (),
    data: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> Verdict:
    """Examine the services of a declaration, or `only` some of them.

    `data` maps dataset names to `name@number`, for a version other than the newest accepted one.
    """
    from mainspring.services.declaration import read_declaration

    folder = (file if file.is_dir() else file.parent).absolute()
    try:
        specs = read_declaration(file).services
        if unknown := sorted(set(only) - {spec.name for spec in specs}):
            raise NotFound(f"{file} declares no service {unknown[0]!r}")
    except MainspringError as error:
        return verdict_of((_failed("declaration", file.name, error),), ())
    wanted = [spec for spec in specs if not only or spec.name in only]
    services = tuple(_Service(app, spec, folder, data or {}, watch).verdict() for spec in wanted)
    return verdict_of(
        (Case(suite="declaration", name=file.name, outcome=Outcome.PASSED),), services
    )


class _Service:
    def __init__(
        self,
        app: "App",
        spec: "ServiceSpec",
        folder: Path,
        data: Mapping[str, str],
        watch: Watch | None,
    ) -> None:
        self._app = app
        self._spec = spec
        self._folder = folder
        self._data = data
        self._watch = watch

    def verdict(self) -> ServiceVerdict:
        """Each thing is only looked at if those before it let it be."""
        cases = list(self._data_cases())
        if not all(case.outcome.lets_pass for case in cases):
            not_run = Case(
                suite="pipeline",
                name=self._spec.pipeline,
                outcome=Outcome.NOT_RUN,
                detail="its data did not pass",
            )
            return ServiceVerdict(service=self._spec.name, cases=(*cases, not_run))
        try:
            run = self._run()
        except MainspringError as error:
            failed = _failed("pipeline", self._spec.pipeline, error)
            return ServiceVerdict(service=self._spec.name, cases=(*cases, failed))
        return self._judged(run, cases)

    def _data_cases(self) -> Iterator[Case]:
        from mainspring.datasets.requests import GetDatasetVersion

        for dataset in sorted(set(self._spec.data.values())):
            _, _, number = self._data.get(dataset, dataset).partition("@")
            try:
                version = self._app.call(
                    GetDatasetVersion(dataset=dataset, number=int(number) if number else None)
                )
                yield self._checked(version)
            except MainspringError as error:
                yield _failed("data", dataset, error)

    def _checked(self, version: "DatasetVersion") -> Case:
        from mainspring.datasets.tables import scan
        from mainspring.quality.catalogue.scope import Surroundings
        from mainspring.quality.checks import check_table, not_a_table
        from mainspring.quality.custom.code import code_beside
        from mainspring.quality.judgement import other_tables, profile_of
        from mainspring.quality.report import report_lines
        from mainspring.quality.schema_file import parse_schema

        name = f"{version.dataset} version {version.number}"
        text = self._spec.expect.get(version.dataset)
        if text is None:
            return Case(
                suite="data",
                name=name,
                outcome=Outcome.WARNED,
                detail="no schema is expected of it",
            )
        schema = parse_schema(text)
        report = (
            check_table(
                schema,
                scan(self._app.blobs, version.manifest),
                around=Surroundings(
                    other=other_tables(self._app.call, self._app.blobs),
                    code=code_beside(schema, [self._folder]),
                ).profiled(profile_of(self._app.blobs, version)),
            )
            if version.row_count is not None
            else not_a_table(schema)
        )
        outcome = Outcome.PASSED if report.passed else Outcome.FAILED
        if report.passed and report.warnings:
            outcome = Outcome.WARNED
        return Case(
            suite="data", name=name, outcome=outcome, detail="\n".join(report_lines(report))
        )

    def _run(self) -> "PipelineRun":
        from mainspring.pipelines.local import run_pipeline

        return run_pipeline(
            self._app.call,
            self._app.blobs,
            self._app.settings,
            self._spec.pipeline,
            project=self._folder,
            data={
                parameter: self._data.get(dataset, dataset)
                for parameter, dataset in self._spec.data.items()
            },
            params=self._spec.params,
            why=f"continuous integration of {self._spec.name}",
            watch=self._watch,
        )

    def _judged(self, run: "PipelineRun", cases: list[Case]) -> ServiceVerdict:
        from mainspring.domain.pipeline import PipelineRunState
        from mainspring.reconcile.observe import Evaluations

        ran, reused = self._steps(run)
        ended = Case(
            suite="pipeline",
            name=self._spec.pipeline,
            outcome=Outcome.PASSED if run.state is PipelineRunState.SUCCEEDED else Outcome.FAILED,
            detail=run.error or f"{len(ran)} steps were run, {len(reused)} were known",
        )
        evaluation = Evaluations(self._app.blobs).of([run]).get(run.id)
        champion = self._champion()
        metrics: tuple[MetricChange, ...] = ()
        gates: list[Case] = []
        if run.state is PipelineRunState.SUCCEEDED:
            gates = list(self._gates(evaluation, champion))
        if evaluation is not None:
            theirs = champion.metrics if champion else {}
            metrics = tuple(
                MetricChange(name=name, value=value, champion=theirs.get(name))
                for name, value in sorted(evaluation.values.items())
            )
        return ServiceVerdict(
            service=self._spec.name,
            cases=(*cases, ended, *gates),
            metrics=metrics,
            champion=champion.number if champion else None,
            model=evaluation.model if evaluation else None,
            ran=ran,
            reused=reused,
        )

    def _steps(self, run: "PipelineRun") -> tuple[tuple[str, ...], tuple[str, ...]]:
        from mainspring.domain.pipeline import StepState
        from mainspring.pipelines.requests import ListSteps

        last = {attempt.node: attempt.state for attempt in self._app.call(ListSteps(run=run.id))}
        reused = tuple(name for name, state in last.items() if state is StepState.CACHED)
        ran = tuple(
            name
            for name, state in last.items()
            if state not in (StepState.CACHED, StepState.SKIPPED)
        )
        return ran, reused

    def _champion(self) -> "ModelVersion | None":
        from mainspring.registry.requests import GetModelVersionById
        from mainspring.serving.requests import GetDeployment

        try:
            deployment = self._app.call(GetDeployment(service=self._spec.name))
        except NotFound:
            # The service is not declared in this home yet.
            return None
        if deployment is None or deployment.champion is None:
            return None
        version: ModelVersion = self._app.call(GetModelVersionById(id=deployment.champion))
        return version

    def _gates(
        self, evaluation: "Evaluation | None", champion: "ModelVersion | None"
    ) -> Iterator[Case]:
        from mainspring.reconcile.judging import judge_model

        if evaluation is None or evaluation.model is None:
            yield Case(
                suite="gates",
                name="evaluation",
                outcome=Outcome.FAILED,
                detail="the pipeline returned no result of ms.evaluate with a model",
            )
            return
        try:
            results = judge_model(
                self._app.settings,
                self._spec.gates,
                evaluation.model,
                metrics=evaluation.values,
                champion=champion,
                evaluation=evaluation,
            )
        except MainspringError as error:
            yield _failed("gates", "judging", error)
            return
        yield from (_gate_case(result) for result in results)


def _gate_case(result: "GateResult") -> Case:
    return Case(
        suite="gates",
        name=result.gate.title,
        outcome=Outcome(result.outcome.value),
        detail="\n".join(_gate_lines(result)),
    )


def _gate_lines(result: "GateResult") -> Iterator[str]:
    """What a gate said, and below it the slices that keep the candidate out."""
    from mainspring.domain.gate import GateOutcome

    yield result.detail
    for each in result.slices:
        if each.outcome is not GateOutcome.PASSED:
            yield f"{each.outcome.value}: {each.in_words()}"


def _failed(suite: str, name: str, error: MainspringError) -> Case:
    told = [f"{error.where}: {error.message}" if error.where else error.message, error.hint or ""]
    return Case(
        suite=suite,
        name=name,
        outcome=Outcome.FAILED,
        detail="\n".join(line for line in told if line),
    )
