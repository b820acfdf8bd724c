"""How a service is, in one word and one sentence. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.monitor import Incident
from mainspring.domain.pipeline import PipelineRun, PipelineRunState
from mainspring.domain.rollout import Deployment, RolloutState, ServingReport
from mainspring.domain.service import Service

SILENT_AFTER = timedelta(seconds=60)
"""A serving process that said nothing for so long counts as gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A verdict: `tone` is `ok`, `warn`, `bad` or `plain`."""

    tone: str
    word: str
    sentence: str


def health_of(
    service: Service,
    *,
    deployment: Deployment | None,
    incidents: tuple[Incident, ...],
    last_run: PipelineRun | None,
    reports: tuple[ServingReport, ...],
    now: datetime,
) -> Health:
    """The most urgent thing there is to say of a service."""
    champion = deployment.champion if deployment else None
    alive = [report for report in reports if now - report.at <= SILENT_AFTER]
    ready = any(champion in report.ready for report in alive) if champion else False
    failed = [r.failed[champion] for r in alive if champion and champion in r.failed]
    if failed and not ready:
        return Health(
            tone="bad", word="not answering", sentence=f"Its model can't be loaded: {failed[0]}"
        )
    if incidents:
        return Health(tone="bad", word="incident", sentence=incidents[0].summary)
    if service.paused:
        answers = "It answers, but the" if champion else "The"
        return Health(tone="warn", word="paused", sentence=f"{answers} loops leave it as it is.")
    rollout = deployment.rollout if deployment else None
    if rollout and not rollout.state.is_final:
        waits = rollout.state is RolloutState.WAITING
        return Health(
            tone="warn",
            word="needs approval" if waits else "rolling out",
            sentence="A candidate waits for people to say yes." if waits else rollout.why,
        )
    if champion is None:
        return _without_model(last_run)
    if not ready:
        return Health(
            tone="warn",
            word="not served",
            sentence="No serving process answers with its champion right now; "
            "mainspring up starts one.",
        )
    return Health(tone="ok", word="healthy", sentence="Its champion answers and nothing is amiss.")


def _without_model(last_run: PipelineRun | None) -> Health:
    if last_run is None:
        return Health(
            tone="plain",
            word="no model yet",
            sentence="It waits for accepted data and a first run.",
        )
    if last_run.state is PipelineRunState.FAILED:
        reason = (last_run.error or "no reason was given").splitlines()[0]
        return Health(tone="bad", word="run failed", sentence=reason)
    if not last_run.state.is_final:
        return Health(tone="plain", word="training", sentence="Its first model is being made.")
    return Health(
        tone="warn", word="no model yet", sentence="A run ended, but no candidate serves yet."
    )
