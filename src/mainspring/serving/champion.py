"""Changing who answers for a service; the only code that moves a champion."""

from dataclasses import replace

from mainspring.domain.event import ChampionChanged
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.rollout import Deployment
from mainspring.registry.aliases import move_alias
from mainspring.serving import queries
from mainspring.store.tx import Tx

CHAMPION = "champion"


def make_champion(
    tx: Tx,
    deployment: Deployment,
    version: ModelVersion,
    *,
    previous: ModelVersionId | None,
    why: str,
) -> Deployment:
    """Let a version answer; row, alias and event change together. The caller has checked its gates."""
    before = deployment.champion
    changed = save_routing(
        tx, replace(deployment, champion=version.id, previous=previous, rollout=None)
    )
    move_alias(tx, version.model, CHAMPION, version.id)
    tx.emit(
        ChampionChanged(
            service=deployment.service,
            model=version.model,
            version=version.id,
            previous=before,
            why=why,
        )
    )
    return changed


def save_routing(tx: Tx, deployment: Deployment) -> Deployment:
    """Write a deployment under the next routing version, which serving processes will follow."""
    changed = replace(deployment, routing_version=deployment.routing_version + 1, updated_at=tx.now)
    queries.save_deployment(tx, changed)
    return changed
