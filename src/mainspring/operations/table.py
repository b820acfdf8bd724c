"""The table of all operations."""

from typing import Any

from mainspring.domain.request import Request
from mainspring.operations import (
    backfills,
    datasets,
    governance,
    monitoring,
    pipelines,
    quality,
    registry,
    services,
    serving,
    takeover,
    traces,
    tracking,
    triggers,
    webhooks,
)
from mainspring.operations.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *services.OPERATIONS,
    *datasets.OPERATIONS,
    *quality.OPERATIONS,
    *tracking.OPERATIONS,
    *traces.OPERATIONS,
    *pipelines.OPERATIONS,
    *triggers.OPERATIONS,
    *backfills.OPERATIONS,
    *registry.OPERATIONS,
    *takeover.OPERATIONS,
    *webhooks.OPERATIONS,
    *serving.OPERATIONS,
    *monitoring.OPERATIONS,
    *governance.OPERATIONS,
)

BY_REQUEST: dict[type[Request[Any]], Operation] = {op.request: op for op in OPERATIONS}
BY_NAME: dict[str, Operation] = {op.name: op for op in OPERATIONS}
