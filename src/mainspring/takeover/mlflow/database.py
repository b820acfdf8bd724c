"""An MLflow read from its database, and its files from folders of this machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import nan
from pathlib import Path
from typing import Any

from mainspring.domain.logged_model import (
    LoggedModel,
    LoggedModelId,
    LoggedModelStatus,
    ModelMetric,
)
from mainspring.domain.model import ModelVersion, ModelVersionId, RegisteredModel
from mainspring.domain.run import (
    DatasetInput,
    Direction,
    Experiment,
    ExperimentId,
    Lifecycle,
    Metric,
    MetricPoints,
    ModelLink,
    Run,
    RunId,
    RunStatus,
)
from mainspring.takeover.mlflow.database_traces import traces_of_rows
from mainspring.takeover.mlflow.folders import files_at
from mainspring.takeover.mlflow.source import (
    UNSTORED,
    SourceFile,
    SourceLoggedModel,
    SourceRun,
    SourceTrace,
    SourceVersion,
    instant,
    instant_or_start,
)
from mainspring.takeover.queries.mlflow import MlflowTables

_POINTS_AT_ONCE = 10_000
_TRACES_AT_ONCE = 20
_MODEL_STATUS = {
    2: LoggedModelStatus.READY,
    3: LoggedModelStatus.FAILED,
}
# Tables of what is not carried over, by what it is called in a report.
_LEFT = {
    "webhooks": "webhooks",
    "evaluation datasets": "evaluation_datasets",
    "scorers": "scorers",
    "issues": "issues",
    "jobs": "jobs",
    "gateway endpoints": "endpoints",
    "gateway secrets": "secrets",
    "label schemas": "label_schemas",
}


class DatabaseSource:
    """A `Source` over an MLflow database of any version since runs had names."""

    def __init__(self, url: str, artifact_root: Path | None) -> None:
        self._tables = MlflowTables(url)
        self._root = artifact_root
        self.description = f"MLflow database at revision {self._tables.revision()}"

    def experiments(self) -> list[Experiment]:
        rows = self._tables.experiments()
        ids = [row.experiment_id for row in rows]
        tags = self._tables.of_owners("experiment_tags", "experiment_id", ids)
        return [
            Experiment(
                id=ExperimentId(str(row.experiment_id)),
                name=row.name,
                lifecycle=Lifecycle(row.lifecycle_stage),
                created_at=instant_or_start(_of(row, "creation_time")),
                updated_at=instant_or_start(_of(row, "last_update_time")),
                tags=_pairs(tags.get(row.experiment_id, ())),
            )
            for row in rows
        ]

    def runs(self, experiment: str) -> Iterator[list[SourceRun]]:
        for rows in self._tables.pages("runs", "run_uuid", experiment):
            ids = [row.run_uuid for row in rows]
            params = self._tables.of_owners("params", "run_uuid", ids)
            tags = self._tables.of_owners("tags", "run_uuid", ids)
            inputs, models = self._inputs(ids), self._model_links(ids)
            yield [
                SourceRun(
                    run=Run(
                        id=RunId(row.run_uuid),
                        experiment=ExperimentId(experiment),
                        name=_of(row, "name") or "",
                        status=RunStatus(row.status),
                        lifecycle=Lifecycle(row.lifecycle_stage),
                        user=(row.user_id or "")[:250],
                        started_at=instant(row.start_time),
                        ended_at=instant(row.end_time),
                        metrics=(),
                        params=_pairs(params.get(row.run_uuid, ())),
                        tags=_pairs(tags.get(row.run_uuid, ())),
                        inputs=tuple(inputs.get(row.run_uuid, ())),
                        models=tuple(models.get(row.run_uuid, ())),
                    ),
                    location=row.artifact_uri or "",
                )
                for row in rows
            ]

    def points(self, runs: Sequence[Run]) -> Iterator[MetricPoints]:
        rows = self._tables.points([run.id for run in runs])
        for (run, key), points in groupby(rows, key=lambda row: row[:2]):
            yield from points_in_parts(run, key, points)

    def logged_models(self, experiment: str) -> Iterator[list[SourceLoggedModel]]:
        for rows in self._tables.pages("logged_models", "model_id", experiment):
            ids = [row.model_id for row in rows]
            params = self._tables.of_owners("logged_model_params", "model_id", ids)
            tags = self._tables.of_owners("logged_model_tags", "model_id", ids)
            metrics = self._tables.of_owners("logged_model_metrics", "model_id", ids)
            yield [
                SourceLoggedModel(
                    model=LoggedModel(
                        id=LoggedModelId(row.model_id),
                        experiment=ExperimentId(experiment),
                        name=row.name,
                        source_run=RunId(row.source_run_id) if row.source_run_id else None,
                        status=logged_model_status(row.status),
                        model_type=(row.model_type or "")[:100],
                        lifecycle=Lifecycle(row.lifecycle_stage),
                        created_at=instant_or_start(row.creation_timestamp_ms),
                        updated_at=instant_or_start(row.last_updated_timestamp_ms),
                        params={r.param_key: r.param_value for r in params.get(row.model_id, ())},
                        tags={r.tag_key: r.tag_value for r in tags.get(row.model_id, ())},
                        metrics=tuple(map(_model_metric, metrics.get(row.model_id, ()))),
                    ),
                    location=row.artifact_location,
                )
                for row in rows
            ]

    def traces(self, experiment: str) -> Iterator[list[SourceTrace]]:
        for rows in self._tables.pages("trace_info", "request_id", experiment):
            for start in range(0, len(rows), _TRACES_AT_ONCE):
                yield traces_of_rows(
                    self._tables, experiment, rows[start : start + _TRACES_AT_ONCE]
                )

    def models(self) -> list[RegisteredModel]:
        rows = self._tables.rows_here("registered_models", "name")
        tags = _by_name(self._tables.rows_here("registered_model_tags", "name"))
        aliases = _by_name(self._tables.rows_here("registered_model_aliases", "name"))
        versions = _by_name(self._tables.rows_here("model_versions", "version"))
        return [
            RegisteredModel(
                name=row.name,
                description=row.description or "",
                tags=_pairs(tags.get(row.name, ())),
                aliases={each.alias: each.version for each in aliases.get(row.name, ())},
                version_count=len(versions.get(row.name, ())),
                created_at=instant_or_start(row.creation_time),
                updated_at=instant_or_start(row.last_updated_time),
            )
            for row in rows
        ]

    def versions(self, model: str) -> list[SourceVersion]:
        rows = self._tables.of_owners("model_versions", "name", [model]).get(model, ())
        tags = self._tables.of_owners("model_version_tags", "name", [model]).get(model, ())
        return [
            SourceVersion(
                version=ModelVersion(
                    id=ModelVersionId(""),
                    model=model,
                    number=row.version,
                    run=RunId(row.run_id) if row.run_id else None,
                    manifest=UNSTORED,
                    flavor="",
                    signature=None,
                    metrics={},
                    reference=None,
                    evaluation=None,
                    project=None,
                    environment=None,
                    description=row.description or "",
                    tags=_pairs(tag for tag in tags if tag.version == row.version),
                    aliases=(),
                    gate_results=None,
                    created_at=instant_or_start(row.creation_time),
                    created_by=row.user_id or "",
                    updated_at=instant_or_start(row.last_updated_time),
                    source=row.source or "",
                    logged_model=_logged_model(row.source or ""),
                    stage=row.current_stage,
                ),
                location=_of(row, "storage_location") or row.source or "",
            )
            for row in sorted(rows, key=lambda row: row.version)
            # Deleted versions stay as rows of this stage.
            if row.current_stage != "Deleted_Internal"
        ]

    def run_files(self, run: SourceRun) -> list[SourceFile]:
        return files_at(run.location, self._root)

    def model_files(self, model: SourceLoggedModel) -> list[SourceFile]:
        return files_at(model.location, self._root)

    def version_files(self, version: SourceVersion) -> list[SourceFile]:
        return files_at(version.location, self._root)

    def trace_files(self, trace: SourceTrace) -> list[SourceFile]:
        return files_at(trace.location, self._root) if trace.location else []

    def left_behind(self) -> Mapping[str, int]:
        found = {what: self._tables.count(table) for what, table in _LEFT.items()}
        found["experiments of other workspaces"] = self._tables.count_in_other_workspaces()
        return {what: count for what, count in found.items() if count}

    def close(self) -> None:
        self._tables.close()

    def _inputs(self, runs: Sequence[str]) -> dict[str, list[DatasetInput]]:
        links = [
            row
            for rows in self._tables.of_owners("inputs", "destination_id", runs).values()
            for row in rows
            if row.source_type == "DATASET" and row.destination_type == "RUN"
        ]
        datasets = self._tables.of_owners("datasets", "dataset_uuid", [r.source_id for r in links])
        tags = self._tables.of_owners("input_tags", "input_uuid", [r.input_uuid for r in links])
        found: dict[str, list[DatasetInput]] = {}
        for link in links:
            for row in datasets.get(link.source_id, ()):
                read = DatasetInput(
                    name=row.name,
                    digest=row.digest,
                    source_type=row.dataset_source_type,
                    source=row.dataset_source,
                    schema=row.dataset_schema,
                    profile=row.dataset_profile,
                    tags=tuple(sorted((t.name, t.value) for t in tags.get(link.input_uuid, ()))),
                )
                found.setdefault(link.destination_id, []).append(read)
        return found

    def _model_links(self, runs: Sequence[str]) -> dict[str, list[ModelLink]]:
        found: dict[str, list[ModelLink]] = {}
        directions = {"RUN_INPUT": Direction.INPUT, "RUN_OUTPUT": Direction.OUTPUT}
        for run, rows in self._tables.of_owners("inputs", "source_id", runs).items():
            for row in rows:
                if direction := directions.get(row.source_type):
                    step = _of(row, "step") or 0
                    link = ModelLink(model=row.destination_id, direction=direction, step=step)
                    found.setdefault(run, []).append(link)
        return found


def logged_model_status(number: int) -> LoggedModelStatus:
    """MLflow keeps it as a number."""
    return _MODEL_STATUS.get(number, LoggedModelStatus.PENDING)


def points_in_parts(
    run: str, key: str, points: Iterable[tuple[Any, ...]]
) -> Iterator[MetricPoints]:
    """Rows of one metric (run, key, step, time, value, whether it is NaN) as columns of bounded length."""
    part: list[tuple[Any, ...]] = []
    for point in points:
        part.append(point)
        if len(part) == _POINTS_AT_ONCE:
            yield _columns(run, key, part)
            part = []
    if part:
        yield _columns(run, key, part)


def _columns(run: str, key: str, rows: list[tuple[Any, ...]]) -> MetricPoints:
    return MetricPoints(
        run=run,
        key=key,
        steps=tuple([row[2] for row in rows]),
        timestamps_ms=tuple([row[3] for row in rows]),
        values=tuple([nan if row[5] else row[4] for row in rows]),
    )


def _model_metric(row: Any) -> ModelMetric:
    metric = Metric(
        key=row.metric_name,
        value=nan if row.metric_value is None else row.metric_value,
        step=row.metric_step,
        timestamp_ms=row.metric_timestamp_ms,
        model=row.model_id,
        dataset_name=row.dataset_name,
        dataset_digest=row.dataset_digest,
    )
    return ModelMetric(run=RunId(row.run_id), metric=metric)


def _logged_model(source: str) -> str | None:
    rest = source.removeprefix("models:/")
    return rest if rest != source and rest.startswith("m-") and "/" not in rest else None


def _of(row: Any, name: str) -> Any:
    """A column that databases of older versions don't have."""
    return getattr(row, name, None)


def _pairs(rows: Iterable[Any]) -> dict[str, str]:
    return {row.key: row.value or "" for row in rows}


def _by_name(rows: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    return found
