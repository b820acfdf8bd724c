"""An MLflow read from its folder of files (`mlruns`), which older versions kept everything in.

The folder may have been moved or copied: what lies beside a run is read rather than where it says that it is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.domain.logged_model import LoggedModel, LoggedModelId, ModelMetric
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
from mainspring.kernel.errors import Invalid
from mainspring.takeover.mlflow.database import logged_model_status, points_in_parts
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

_META = "meta.yaml"
_TRASH = ".trash"
_MODELS = "models"
_RUNS_AT_ONCE = 200
_STATUS = {
    1: RunStatus.RUNNING,
    2: RunStatus.SCHEDULED,
    3: RunStatus.FINISHED,
    4: RunStatus.FAILED,
    5: RunStatus.KILLED,
}


class FileStoreSource:
    """A `Source` over an `mlruns` folder."""

    def __init__(self, root: Path, artifact_root: Path | None) -> None:
        self._root = root
        self._artifact_root = artifact_root
        self._folders = {folder.name: folder for folder in self._experiment_folders()}
        if not self._folders and not (root / _MODELS).is_dir():
            raise Invalid(
                f"{root} holds no MLflow experiments",
                code="not_mlflow",
                hint="It is the folder with one folder for each experiment, usually called mlruns.",
            )
        self.description = f"MLflow folder {root}"

    def experiments(self) -> list[Experiment]:
        return [
            Experiment(
                id=ExperimentId(id_),
                name=str(meta["name"]),
                lifecycle=Lifecycle(meta.get("lifecycle_stage", "active")),
                created_at=instant_or_start(meta.get("creation_time")),
                updated_at=instant_or_start(meta.get("last_update_time")),
                tags=_texts(folder / "tags"),
            )
            for id_, folder in sorted(self._folders.items())
            for meta in [_meta(folder)]
        ]

    def runs(self, experiment: str) -> Iterator[list[SourceRun]]:
        root = self._folders[experiment]
        folders = [each for each in _folders(root) if _says(each, "run_id", "run_uuid")]
        for start in range(0, len(folders), _RUNS_AT_ONCE):
            some = folders[start : start + _RUNS_AT_ONCE]
            yield [self._run(folder, experiment) for folder in some]

    def points(self, runs: Sequence[Run]) -> Iterator[MetricPoints]:
        for run in runs:
            for key, path in _files(self._folders[run.experiment] / run.id / "metrics"):
                points = (
                    (run.id, key, step, at, value, math.isnan(value))
                    for at, value, step in _lines_of_metric(path)
                )
                yield from points_in_parts(run.id, key, points)

    def logged_models(self, experiment: str) -> Iterator[list[SourceLoggedModel]]:
        found = [
            self._logged_model(folder, experiment)
            for folder in _folders(self._folders[experiment] / _MODELS)
            if (folder / _META).is_file()
        ]
        if found:
            yield found

    def models(self) -> list[RegisteredModel]:
        return [
            RegisteredModel(
                name=str(meta["name"]),
                description=meta.get("description") or "",
                tags=_texts(folder / "tags"),
                aliases={alias: int(text) for alias, text in _texts(folder / "aliases").items()},
                version_count=0,
                created_at=instant_or_start(meta.get("creation_timestamp")),
                updated_at=instant_or_start(meta.get("last_updated_timestamp")),
            )
            for folder in _folders(self._root / _MODELS)
            if (folder / _META).is_file()
            for meta in [_meta(folder)]
        ]

    def versions(self, model: str) -> list[SourceVersion]:
        folders = [
            each
            for each in _folders(self._root / _MODELS / model)
            if each.name.startswith("version-") and (each / _META).is_file()
        ]
        found = [self._version(folder, model) for folder in folders]
        return sorted(found, key=lambda each: each.version.number)

    def run_files(self, run: SourceRun) -> list[SourceFile]:
        return files_at(run.location, self._artifact_root)

    def model_files(self, model: SourceLoggedModel) -> list[SourceFile]:
        return files_at(model.location, self._artifact_root)

    def version_files(self, version: SourceVersion) -> list[SourceFile]:
        return files_at(version.location, self._artifact_root)

    def traces(self, experiment: str) -> Iterator[list[SourceTrace]]:
        """None: `left_behind` counts them."""
        return iter(())

    def trace_files(self, trace: SourceTrace) -> list[SourceFile]:
        return files_at(trace.location, self._artifact_root)

    def left_behind(self) -> Mapping[str, int]:
        count = sum(len(_folders(folder / "traces")) for folder in self._folders.values())
        return {"traces": count} if count else {}

    def close(self) -> None:
        """Nothing is held open."""

    def _experiment_folders(self) -> list[Path]:
        both = [*_folders(self._root), *_folders(self._root / _TRASH)]
        return [each for each in both if each.name != _MODELS and _says(each, "experiment_id")]

    def _run(self, folder: Path, experiment: str) -> SourceRun:
        meta = _meta(folder)
        inputs, links = self._inputs(folder, experiment)
        location = folder / "artifacts"
        run = Run(
            id=RunId(str(meta.get("run_id") or meta["run_uuid"])),
            experiment=ExperimentId(experiment),
            name=str(meta.get("run_name") or meta.get("name") or ""),
            status=_STATUS.get(meta.get("status", 3), RunStatus.FINISHED),
            lifecycle=Lifecycle(meta.get("lifecycle_stage", "active")),
            user=str(meta.get("user_id") or "")[:250],
            started_at=instant(meta.get("start_time")),
            ended_at=instant(meta.get("end_time")),
            metrics=(),
            params=_texts(folder / "params"),
            tags=_texts(folder / "tags"),
            inputs=tuple(inputs),
            models=tuple(links),
        )
        here = str(location.resolve()) if location.is_dir() else meta.get("artifact_uri", "")
        return SourceRun(run=run, location=here)

    def _inputs(self, run: Path, experiment: str) -> tuple[list[DatasetInput], list[ModelLink]]:
        datasets, links = [], []
        for folder in _folders(run / "inputs"):
            meta = _meta(folder)
            if meta.get("source_type") != "DATASET":
                links.append(
                    ModelLink(model=str(meta["destination_id"]), direction=Direction.INPUT)
                )
                continue
            read = _meta(self._folders[experiment] / "datasets" / str(meta["source_id"]))
            tags = meta.get("tags") or {}
            datasets.append(
                DatasetInput(
                    name=str(read["name"]),
                    digest=str(read["digest"]),
                    source_type=str(read["source_type"]),
                    source=str(read["source"]),
                    schema=read.get("schema"),
                    profile=read.get("profile"),
                    tags=tuple(sorted((str(key), str(value)) for key, value in tags.items())),
                )
            )
        for folder in _folders(run / "outputs"):
            meta = _meta(folder)
            links.append(
                ModelLink(
                    model=str(meta["destination_id"]),
                    direction=Direction.OUTPUT,
                    step=int(meta.get("step") or 0),
                )
            )
        return datasets, links

    def _logged_model(self, folder: Path, experiment: str) -> SourceLoggedModel:
        meta = _meta(folder)
        id_ = str(meta["model_id"])
        model = LoggedModel(
            id=LoggedModelId(id_),
            experiment=ExperimentId(experiment),
            name=str(meta["name"]),
            source_run=RunId(meta["source_run_id"]) if meta.get("source_run_id") else None,
            status=logged_model_status(meta.get("status", 1)),
            model_type=str(meta.get("model_type") or "")[:100],
            lifecycle=Lifecycle(meta.get("lifecycle_stage") or "active"),
            created_at=instant_or_start(meta.get("creation_timestamp")),
            updated_at=instant_or_start(meta.get("last_updated_timestamp")),
            params=_texts(folder / "params"),
            tags=_texts(folder / "tags"),
            metrics=tuple(_model_metrics(id_, folder / "metrics")),
        )
        here = folder / "artifacts"
        location = str(here.resolve()) if here.is_dir() else str(meta.get("artifact_location", ""))
        return SourceLoggedModel(model=model, location=location)

    def _version(self, folder: Path, model: str) -> SourceVersion:
        meta = _meta(folder)
        logged_model = meta.get("model_id")
        source = str(meta.get("source") or "")
        version = ModelVersion(
            id=ModelVersionId(""),
            model=model,
            number=int(meta["version"]),
            run=RunId(meta["run_id"]) if meta.get("run_id") else None,
            manifest=UNSTORED,
            flavor="",
            signature=None,
            metrics={},
            reference=None,
            evaluation=None,
            project=None,
            environment=None,
            description=meta.get("description") or "",
            tags=_texts(folder / "tags"),
            aliases=(),
            gate_results=None,
            created_at=instant_or_start(meta.get("creation_timestamp")),
            created_by=str(meta.get("user_id") or ""),
            updated_at=instant_or_start(meta.get("last_updated_timestamp")),
            source=source,
            logged_model=str(logged_model) if logged_model else None,
            stage=str(meta.get("current_stage") or "None"),
        )
        named = str(meta.get("storage_location") or source)
        return SourceVersion(version=version, location=self._moved(version, named))

    def _moved(self, version: ModelVersion, named: str) -> str:
        """Where a version's files are now, if they are in this folder."""
        for folder in self._folders.values():
            if version.logged_model is not None:
                here = folder / _MODELS / version.logged_model / "artifacts"
            elif version.run is not None:
                here = folder / version.run / "artifacts"
                here /= named.partition(f"/{version.run}/artifacts/")[2]
            else:
                break
            if here.is_dir():
                return str(here.resolve())
        return named


def _folders(root: Path) -> list[Path]:
    return sorted(each for each in root.iterdir() if each.is_dir()) if root.is_dir() else []


def _says(folder: Path, *keys: str) -> bool:
    return (folder / _META).is_file() and any(key in _meta(folder) for key in keys)


def _meta(folder: Path) -> dict[str, Any]:
    import yaml

    path = folder / _META
    try:
        found = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise Invalid(f"{path} can't be read: {error}", code="not_mlflow") from error
    if not isinstance(found, dict):
        raise Invalid(f"{path} says nothing that MLflow writes", code="not_mlflow")
    return found


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Files by their key, which is their path: `val/loss` lies in a folder."""
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        if path.is_file():
            yield path.relative_to(root).as_posix(), path


def _texts(root: Path) -> dict[str, str]:
    return {key: path.read_bytes().decode() for key, path in _files(root)}


def _lines_of_metric(path: Path) -> Iterator[tuple[int, float, int]]:
    for line in path.read_text().splitlines():
        parts = line.split()
        if not parts:
            continue
        step = int(parts[2]) if len(parts) in (3, 5) else 0
        yield int(parts[0]), float(parts[1]), step


def _model_metrics(model: str, root: Path) -> Iterator[ModelMetric]:
    for key, path in _files(root):
        for line in path.read_text().splitlines():
            at, value, step, run, *dataset = line.split(" ")
            metric = Metric(
                key=key,
                value=float(value),
                step=int(step),
                timestamp_ms=int(at),
                model=model,
                dataset_name=dataset[0] if dataset else None,
                dataset_digest=dataset[1] if len(dataset) > 1 else None,
            )
            yield ModelMetric(run=RunId(run), metric=metric)
