"""Registered models and their versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from mainspring.domain.attestation import NOT_SIGNED, Signing
from mainspring.domain.gate import GateResult
from mainspring.domain.run import RunId
from mainspring.domain.signature import Signature
from mainspring.kernel.digests import Digest

ModelVersionId = NewType("ModelVersionId", str)

PROMPT_TAG = "mlflow.prompt.is_prompt"
"""The tag by which MLflow keeps prompts apart from models in one registry."""
PROMPT_TEXT_TAG = "mlflow.prompt.text"


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether what carries these tags is a prompt, not a model.

    >>> is_prompt({"mlflow.prompt.is_prompt": "True"}), is_prompt({"team": "demand"})
    (True, False)
    """
    return tags.get(PROMPT_TAG, "").lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a registered model.

    `manifest` names the folder in MLflow's model format. `reference` names the blob with the training
    profile and error profile that monitoring compares against; `evaluation` the held-out table (inputs,
    truth) that gates compare on. Both are None for versions registered from outside a pipeline. `source`
    says where its bytes came from, `stage` is what MLflow's older clients set: neither is looked at.
    `signing` is what its signatures come to, by the keys that were trusted when it was read.
    """

    id: ModelVersionId
    model: str
    number: int
    run: RunId | None
    manifest: Digest
    flavor: str
    signature: Signature | None
    metrics: dict[str, float]
    reference: Digest | None
    evaluation: Digest | None
    project: Digest | None
    environment: Digest | None
    description: str
    tags: dict[str, str]
    aliases: tuple[str, ...]
    gate_results: tuple[GateResult, ...] | None
    created_at: datetime
    created_by: str
    updated_at: datetime | None = None
    source: str = ""
    logged_model: str | None = None
    stage: str = "None"
    signing: Signing = NOT_SIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A name under which versions of a model are kept."""

    name: str
    description: str
    tags: dict[str, str]
    aliases: dict[str, int]
    version_count: int
    created_at: datetime
    updated_at: datetime
