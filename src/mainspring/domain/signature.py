"""A model's signature: what it takes and what it answers."""

from dataclasses import dataclass

from mainspring.domain.data_type import DataType


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input column. `nullable` says whether the model was trained with missing values in it."""

    name: str
    type: DataType
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs in the order the model takes them, and the names of its outputs."""

    inputs: tuple[Feature, ...]
    outputs: tuple[str, ...] = ("prediction",)
