"""Models and metrics, as steps give them to one another."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import lay_out, put_folder, put_manifest, read_manifest
from mainspring.domain.evaluation import Evaluation, Reference
from mainspring.domain.signature import Signature
from mainspring.kernel.codec import canonical, decode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

# Inside a model's folder; MLflow leaves files that it doesn't know alone.
REFERENCE = "mainspring/reference.json"


class Model:
    """A fitted model with the table that it was fitted on.

    `estimator` is a scikit-learn estimator or any object with `predict(table)`. `inputs` is what it was
    fitted on, without the target, as the same kind of table: its columns become the model's signature, and
    their distribution what monitoring compares live requests with.
    """

    def __init__(self, estimator: Any, inputs: Any) -> None:
        self.container = _container_of(inputs)
        self.manifest: Digest | None = None
        self._inputs: pl.DataFrame | None = _as_polars(inputs, self.container)
        self._estimator = estimator
        self._signature: Signature | None = None
        self._reference: Reference | None = None
        self._folder: Path | None = None

    def __repr__(self) -> str:
        return f"<model {self.summary}>"

    @property
    def estimator(self) -> Any:
        """The object that was fitted."""
        if self._estimator is None and self._folder is not None:
            from mainspring.tracking.model_format import load_estimator
            from mainspring.tracking.trust import FULL_TRUST

            self._estimator = load_estimator(self._folder, trust=FULL_TRUST)
        return self._estimator

    @property
    def signature(self) -> Signature:
        """Its inputs, in the order that it takes them."""
        if self._signature is None:
            from mainspring.tracking.model_writing import signature_of

            assert self._inputs is not None
            self._signature = signature_of(self._inputs)
        return self._signature

    @property
    def reference(self) -> Reference:
        """How the inputs of its training were distributed."""
        if self._reference is None:
            from mainspring.quality.reference import build_reference

            assert self._inputs is not None
            self._reference = build_reference(self._inputs)
        return self._reference

    @property
    def summary(self) -> str:
        """The kind of estimator and the number of its inputs."""
        return f"{_kind_of(self.estimator)}, {len(self.signature.inputs)} inputs"

    def predict(self, frame: "pl.DataFrame") -> "np.ndarray[Any, Any]":
        """One answer per row; columns are taken by name, and others are left aside."""
        import numpy as np

        return np.asarray(self.estimator.predict(self._table(frame)))

    def predict_proba(self, frame: "pl.DataFrame") -> "np.ndarray[Any, Any]":
        """The probability of each class, per row."""
        import numpy as np

        return np.asarray(self.estimator.predict_proba(self._table(frame)))

    def store(self, blobs: BlobStore, *, scratch: Path, project: Path | None) -> Digest:
        """Keep the model's folder; gives the digest of its manifest. A model that is kept already stays as it is."""
        from mainspring.tracking.model_writing import write_model

        if self.manifest is None:
            with tempfile.TemporaryDirectory(dir=scratch, prefix="model-") as name:
                folder = Path(name) / "model"
                inputs = self._inputs
                assert inputs is not None
                write_model(
                    folder,
                    self._estimator,
                    inputs=inputs,
                    container=self.container,
                    project=project,
                )
                (folder / REFERENCE).parent.mkdir()
                (folder / REFERENCE).write_bytes(canonical(self.reference))
                self.manifest = put_manifest(blobs, put_folder(blobs, folder))
        return self.manifest

    @classmethod
    def load(cls, blobs: BlobStore, manifest: Digest, folder: Path) -> "Model":
        """The model of a manifest, laid out in a new folder; its code runs when it is first used."""
        from mainspring.tracking.model_format import describe_folder

        lay_out(blobs, read_manifest(blobs, manifest), folder, replace=True)
        description = describe_folder(folder)
        if description.signature is None:
            raise Invalid("this model has no signature", hint="Give ms.Model the training inputs.")
        model = cls.__new__(cls)
        model.container = description.container or "polars"
        model.manifest = manifest
        model._inputs = None
        model._estimator = None
        model._signature = description.signature
        model._reference = _kept_reference(folder)
        model._folder = folder
        return model

    def _table(self, frame: "pl.DataFrame") -> Any:
        from mainspring.tracking.model_format import to_container

        names = [feature.name for feature in self.signature.inputs]
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise Invalid(
                f"the model takes {', '.join(names)}; the table lacks {', '.join(missing)}",
                code="missing_inputs",
            )
        return to_container(frame.select(names), self.container)


class Metrics:
    """Named numbers that say how good a model is; `ms.evaluate` makes them with all that gates need."""

    def __init__(self, **values: float) -> None:
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                converted = getattr(value, "item", lambda: None)()
                if isinstance(converted, bool) or not isinstance(converted, int | float):
                    raise Invalid(
                        f"the metric {name!r} is {value!r}, which is no number", code="bad_metric"
                    )
                values[name] = converted
        self.values = {name: float(value) for name, value in values.items()}
        self.model: Model | None = None
        self.held_out: pl.DataFrame | None = None
        self.target: str | None = None
        self.reference: Reference | None = None
        self._kept: Evaluation | None = None

    def __repr__(self) -> str:
        return f"<metrics {self.summary}>"

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            raise NotFound(f"there is no metric {name!r}; there are {', '.join(self.values)}")
        return self.values[name]

    @property
    def summary(self) -> str:
        """The numbers, shortened."""
        return ", ".join(f"{name} {value:.4g}" for name, value in self.values.items())

    def store(self, blobs: BlobStore, *, scratch: Path, project: Path | None) -> Evaluation:
        """Keep the model, the held-out rows and the reference; gives the value that names them."""
        if self._kept is None:
            model = self.model
            self._kept = Evaluation(
                values=self.values,
                model=model.store(blobs, scratch=scratch, project=project) if model else None,
                table=None if self.held_out is None else put_table(blobs, self.held_out, scratch),
                target=self.target,
                reference=None
                if self.reference is None
                else blobs.put_bytes(canonical(self.reference)),
            )
        return self._kept

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Metrics":
        """Metrics that were kept before."""
        metrics = cls(**evaluation.values)
        metrics.target = evaluation.target
        metrics._kept = evaluation
        return metrics


def put_table(blobs: BlobStore, frame: "pl.DataFrame", scratch: Path) -> Digest:
    """Keep a table as Parquet; the same table gives the same digest."""
    with tempfile.TemporaryFile(dir=scratch) as stream:
        frame.write_parquet(stream, compression="zstd")
        stream.seek(0)
        return blobs.put(stream)


def _kept_reference(folder: Path) -> Reference | None:
    path = folder / REFERENCE
    return decode(path.read_bytes(), Reference, what="reference") if path.exists() else None


def _kind_of(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if isinstance(steps, list) and steps:
        return type(steps[-1][1]).__name__
    return type(estimator).__name__


def _container_of(inputs: Any) -> str:
    root = type(inputs).__module__.partition(".")[0]
    if root in ("polars", "pandas", "numpy") and len(getattr(inputs, "shape", ())) == 2:
        return root
    raise Invalid(
        f"the inputs of a model are a table, not a {type(inputs).__name__}",
        code="bad_inputs",
        hint="Give ms.Model(estimator, inputs=...) the pl.DataFrame that the estimator was fitted on.",
    )


def _as_polars(inputs: Any, container: str) -> "pl.DataFrame":
    import polars as pl

    if container == "polars":
        return inputs  # type: ignore[no-any-return]  # its module was just looked at
    if container == "numpy":
        return pl.DataFrame(inputs, schema=[f"x{number}" for number in range(inputs.shape[1])])
    return from_pandas(inputs)


def from_pandas(frame: Any) -> "pl.DataFrame":
    """A pandas table without its index; what pandas holds to be missing becomes null."""
    import polars as pl

    # Not `pl.from_pandas()`, which needs pyarrow.
    columns = {}
    for name in frame.columns:
        column = frame[name].astype(object)
        columns[str(name)] = column.where(frame[name].notna(), None).tolist()
    return pl.DataFrame(columns)
