"""The serving room's SQL."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from mainspring.domain.model import ModelVersionId
from mainspring.domain.rollout import (
    Deployment,
    GuardReading,
    Rollout,
    RolloutId,
    RolloutState,
    ServingReport,
    Strategy,
)
from mainspring.store.tables.services import services
from mainspring.store.tables.serving import deployments, rollouts, serving_reports
from mainspring.store.tx import Tx


def deployment(tx: Tx, service: str) -> Deployment | None:
    row = tx.execute(select(deployments).where(deployments.c.service == service)).one_or_none()
    return _deployment(row, active_rollout(tx, service)) if row else None


def all_deployments(tx: Tx) -> list[Deployment]:
    active = {
        row.service: _rollout(row)
        for row in tx.execute(select(rollouts).where(rollouts.c.active.is_not(None)))
    }
    rows = tx.execute(select(deployments).order_by(deployments.c.service))
    return [_deployment(row, active.get(row.service)) for row in rows]


def save_deployment(tx: Tx, deployment: Deployment) -> None:
    """Write a deployment with a new routing version; the row is made if it is new."""
    values = {
        "model": deployment.model,
        "champion": deployment.champion,
        "previous": deployment.previous,
        "routing_version": deployment.routing_version,
        "updated_at": deployment.updated_at,
    }
    changed = tx.execute(
        update(deployments).where(deployments.c.service == deployment.service).values(**values)
    )
    if changed.rowcount == 0:
        tx.execute(insert(deployments).values(service=deployment.service, **values))


def routing_mark(tx: Tx) -> tuple[int, datetime | None]:
    """Two values of which one grows whenever routing or a service's declaration changes."""
    routing = tx.execute(
        select(func.coalesce(func.sum(deployments.c.routing_version), 0))
    ).scalar_one()
    applied = tx.execute(select(func.max(services.c.applied_at))).scalar_one()
    return int(routing), applied


def rollout(tx: Tx, id_: str) -> Rollout | None:
    row = tx.execute(select(rollouts).where(rollouts.c.id == id_)).one_or_none()
    return _rollout(row) if row else None


def active_rollout(tx: Tx, service: str) -> Rollout | None:
    row = tx.execute(select(rollouts).where(rollouts.c.active == service)).one_or_none()
    return _rollout(row) if row else None


def rollouts_of(tx: Tx, service: str, limit: int) -> list[Rollout]:
    """Newest first."""
    rows = tx.execute(
        select(rollouts)
        .where(rollouts.c.service == service)
        .order_by(rollouts.c.started_at.desc(), rollouts.c.id.desc())
        .limit(limit)
    )
    return [_rollout(row) for row in rows]


def promotion_of(tx: Tx, service: str, version: ModelVersionId) -> Rollout | None:
    """The newest rollout that made a version the service's champion."""
    row = tx.execute(
        select(rollouts)
        .where(
            rollouts.c.service == service,
            rollouts.c.candidate == version,
            rollouts.c.state == RolloutState.PROMOTED.value,
        )
        .order_by(rollouts.c.finished_at.desc())
        .limit(1)
    ).one_or_none()
    return _rollout(row) if row else None


def add_rollout(tx: Tx, new: Rollout) -> None:
    tx.execute(
        insert(rollouts).values(
            id=new.id,
            service=new.service,
            strategy=new.strategy.value,
            candidate=new.candidate,
            champion=new.champion,
            steps=new.steps,
            hold_seconds=new.hold_seconds,
            min_requests=new.min_requests,
            max_seconds=new.max_seconds,
            guards=new.guards,
            why=new.why,
            started_at=new.started_at,
            **_progress(new),
        )
    )


def save_rollout(tx: Tx, changed: Rollout) -> None:
    tx.execute(update(rollouts).where(rollouts.c.id == changed.id).values(**_progress(changed)))


def save_readings(tx: Tx, id_: RolloutId, readings: tuple[GuardReading, ...]) -> None:
    """Only while the rollout is under way: afterwards its readings are evidence."""
    tx.execute(
        update(rollouts)
        .where(rollouts.c.id == id_, rollouts.c.active.is_not(None))
        .values(readings=readings)
    )


def save_report(tx: Tx, report: ServingReport) -> None:
    values = {
        "address": report.address,
        "routing_version": report.routing_version,
        "ready": report.ready,
        "failed": report.failed,
        "at": report.at,
    }
    changed = tx.execute(
        update(serving_reports).where(serving_reports.c.process == report.process).values(**values)
    )
    if changed.rowcount == 0:
        tx.execute(insert(serving_reports).values(process=report.process, **values))


def reports_since(tx: Tx, age: timedelta) -> list[ServingReport]:
    rows = tx.execute(
        select(serving_reports)
        .where(serving_reports.c.at >= tx.now - age)
        .order_by(serving_reports.c.process)
    )
    return [
        ServingReport(
            process=row.process,
            address=row.address,
            routing_version=row.routing_version,
            ready=row.ready,
            failed=row.failed,
            at=row.at,
        )
        for row in rows
    ]


def forget_report(tx: Tx, process: str) -> None:
    tx.execute(delete(serving_reports).where(serving_reports.c.process == process))


def forget_reports_before(tx: Tx, age: timedelta) -> None:
    tx.execute(delete(serving_reports).where(serving_reports.c.at < tx.now - age))


def _progress(rollout: Rollout) -> dict[str, Any]:
    return {
        "active": None if rollout.state.is_final else rollout.service,
        "step_index": rollout.step_index,
        "share": rollout.share,
        "state": rollout.state.value,
        "readings": rollout.readings,
        "step_started_at": rollout.step_started_at,
        "finished_at": rollout.finished_at,
        "reason": rollout.reason,
    }


def _deployment(row: Row[Any], rollout: Rollout | None) -> Deployment:
    return Deployment(
        service=row.service,
        model=row.model,
        champion=ModelVersionId(row.champion) if row.champion else None,
        previous=ModelVersionId(row.previous) if row.previous else None,
        rollout=rollout,
        routing_version=row.routing_version,
        updated_at=row.updated_at,
    )


def _rollout(row: Row[Any]) -> Rollout:
    return Rollout(
        id=RolloutId(row.id),
        service=row.service,
        strategy=Strategy(row.strategy),
        candidate=ModelVersionId(row.candidate),
        champion=ModelVersionId(row.champion) if row.champion else None,
        steps=row.steps,
        step_index=row.step_index,
        share=row.share,
        state=RolloutState(row.state),
        hold_seconds=row.hold_seconds,
        min_requests=row.min_requests,
        max_seconds=row.max_seconds,
        guards=row.guards,
        readings=row.readings,
        why=row.why,
        started_at=row.started_at,
        step_started_at=row.step_started_at,
        finished_at=row.finished_at,
        reason=row.reason,
    )
