"""What can be asked of the registry."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.approval import Approval
from mainspring.domain.attestation import Attestation
from mainspring.domain.gate import GateResult
from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.domain.request import Request
from mainspring.domain.signature import Signature
from mainspring.domain.version_diff import VersionDiff
from mainspring.kernel.digests import Digest
from mainspring.kernel.paging import Page

ModelName = Annotated[str, Meta(min_length=1, max_length=250)]


class RegisterModelVersion(Request[ModelVersion], frozen=True, kw_only=True):
    """Add a version to a model, which is made if it is new. Its bytes must be stored.

    Registering the same manifest from the same run again gives the same version, unless `anew` asks for
    another one, as MLflow's clients do.
    """

    model: ModelName
    manifest: Digest
    flavor: str = "python_function"
    run: str | None = None
    logged_model: str | None = None
    source: str = ""
    signature: Signature | None = None
    metrics: dict[str, float] = {}
    reference: Digest | None = None
    evaluation: Digest | None = None
    project: Digest | None = None
    environment: Digest | None = None
    description: str = ""
    tags: dict[str, str] = {}
    service: str | None = None
    anew: bool = False


class CreateModel(Request[RegisteredModel], frozen=True, kw_only=True):
    """Make a registered model without versions; raises `Conflict` if the name is taken."""

    model: ModelName
    description: str = ""
    tags: dict[str, str] = {}


class UpdateModel(Request[RegisteredModel], frozen=True, kw_only=True):
    """Rename or describe a model, set tags and remove others; UNSET stays as it is."""

    model: str
    name: ModelName | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    tags: dict[str, str] = {}
    removed_tags: tuple[str, ...] = ()


class DeleteModel(Request[None], frozen=True, kw_only=True):
    """Delete a model with its versions; raises `Conflict` while one of them serves or has served."""

    model: str


class SearchModels(Request[Page[RegisteredModel]], frozen=True, kw_only=True):
    """Models that match a filter in MLflow's search grammar, by name unless asked otherwise."""

    filter: str = ""
    order_by: tuple[str, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    page_token: str | None = None


class UpdateModelVersion(Request[ModelVersion], frozen=True, kw_only=True):
    """Describe a version, set its stage, set tags and remove others; UNSET stays as it is.

    With `archive_others` every other version of that stage goes to `Archived`.
    """

    model: str
    number: int
    description: str | msgspec.UnsetType = msgspec.UNSET
    stage: str | msgspec.UnsetType = msgspec.UNSET
    archive_others: bool = False
    tags: dict[str, str] = {}
    removed_tags: tuple[str, ...] = ()


class DeleteModelVersion(Request[None], frozen=True, kw_only=True):
    """Delete a version; raises `Conflict` while it serves or if it has served. Its number stays used."""

    model: str
    number: int


class SearchModelVersions(Request[Page[ModelVersion]], frozen=True, kw_only=True):
    """Versions that match a filter in MLflow's search grammar, newest first unless asked otherwise."""

    filter: str = ""
    order_by: tuple[str, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=200_000)] = 10_000
    page_token: str | None = None


class ListModels(Request[tuple[RegisteredModel, ...]], frozen=True, kw_only=True):
    """Every registered model, by name."""


class GetModel(Request[RegisteredModel], frozen=True, kw_only=True):
    """One registered model."""

    model: str


class ListModelVersions(Request[tuple[ModelVersion, ...]], frozen=True, kw_only=True):
    """Versions of a model, newest first."""

    model: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class GetModelVersion(Request[ModelVersion], frozen=True, kw_only=True):
    """One version, by number or by alias; by neither, the newest."""

    model: str
    number: int | None = None
    alias: str | None = None


class GetModelVersionById(Request[ModelVersion], frozen=True, kw_only=True):
    """One version by its id."""

    id: str


class DiffModelVersions(Request[VersionDiff], frozen=True, kw_only=True):
    """What differs between two versions: metrics, parameters, data, code, environment, signature.

    The other version is of the same model unless `other_model` names another.
    """

    model: str
    number: int
    other: int
    other_model: str | None = None


class AttachSignature(Request[ModelVersion], frozen=True, kw_only=True):
    """Keep an OpenSSF model signature with the version that it is of.

    `bundle` is the file's text. Raises `Invalid` if it is about other files or another name, or if a trusted
    key should have made it and did not. The same key's earlier signature is replaced.
    """

    model: str
    number: int
    bundle: Annotated[str, Meta(min_length=1)]


class ListSignatures(Request[tuple[Attestation, ...]], frozen=True, kw_only=True):
    """A version's signatures as their signers made them, oldest first."""

    model: str
    number: int


class RecordGateResults(Request[ModelVersion], frozen=True, kw_only=True):
    """Keep what the gates said of a version. Results are written once and never replaced."""

    version: str
    results: tuple[GateResult, ...]
    service: str | None = None


class SetAlias(Request[RegisteredModel], frozen=True, kw_only=True):
    """Point an alias at a version. `champion` moves only by a rollout."""

    model: str
    alias: str
    number: int


class DeleteAlias(Request[RegisteredModel], frozen=True, kw_only=True):
    """Remove an alias. `champion` can't be removed."""

    model: str
    alias: str


class GiveApproval(Request[Approval], frozen=True, kw_only=True):
    """Say yes or no to a model version for a service; bound to the model's bytes."""

    service: str
    model: str
    number: int
    approved: bool = True
    reason: str = ""


class ListApprovals(Request[tuple[Approval, ...]], frozen=True, kw_only=True):
    """Every decision on a model version, oldest first."""

    version: str
