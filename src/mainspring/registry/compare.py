"""Two versions side by side: what they were made of and what came of it."""

from collections.abc import Mapping

from mainspring.domain.model import ModelVersion
from mainspring.domain.run import RunId
from mainspring.domain.signature import Signature
from mainspring.domain.version_diff import Change, VersionDiff, Where
from mainspring.registry.read import get_model_version
from mainspring.registry.requests import DiffModelVersions, GetModelVersion
from mainspring.store.tx import Tx
from mainspring.tracking.runs import run_of

Values = Mapping[str, str]


def diff_model_versions(tx: Tx, request: DiffModelVersions) -> VersionDiff:
    """What differs between two versions, of one model or of two; raises `NotFound`."""
    other_model = request.other_model or request.model
    one = get_model_version(tx, GetModelVersion(model=request.model, number=request.number))
    other = get_model_version(tx, GetModelVersion(model=other_model, number=request.other))
    ones, others = _facts(tx, one), _facts(tx, other)
    return VersionDiff(
        one=f"{one.model} version {one.number}",
        other=f"{other.model} version {other.number}",
        same_bytes=one.manifest == other.manifest,
        changes=tuple(
            change for where in Where for change in changes(where, ones[where], others[where])
        ),
    )


def changes(where: Where, one: Values, other: Values) -> list[Change]:
    """What is not the same in both, by name.

    >>> [(c.name, c.before, c.after) for c in changes(Where.PARAM, {"a": "1", "b": "2"}, {"a": "3"})]
    [('a', '1', '3'), ('b', '2', None)]
    """
    return [
        Change(where=where, name=name, before=one.get(name), after=other.get(name))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def _facts(tx: Tx, version: ModelVersion) -> dict[Where, Values]:
    params, data = _of_run(tx, version.run)
    return {
        Where.METRIC: {name: f"{value:.6g}" for name, value in version.metrics.items()},
        Where.PARAM: params,
        Where.DATA: data | _present({"held out": version.evaluation}),
        Where.CODE: _present({"project": version.project}),
        Where.ENVIRONMENT: _present({"environment": version.environment}),
        Where.SIGNATURE: _columns(version.signature),
        Where.SIGNING: {"signed": str(version.signing)},
    }


def _of_run(tx: Tx, run: RunId | None) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters and the data of the run that trained a version; none if it names no run."""
    if run is None:
        return {}, {}
    found = run_of(tx, run)
    return found.params, {each.name: each.digest for each in found.inputs}


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _columns(signature: Signature | None) -> dict[str, str]:
    if signature is None:
        return {}
    inputs = {
        feature.name: feature.type.value + (" or missing" if feature.nullable else "")
        for feature in signature.inputs
    }
    return inputs | {"(answers)": ", ".join(signature.outputs)}
