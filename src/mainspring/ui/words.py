"""Events as sentences, with links to what they are about."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup

from mainspring.domain import event as events
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.event import Event, StoredEvent
from mainspring.domain.model import ModelVersion
from mainspring.kernel.codec import convert
from mainspring.kernel.errors import Invalid
from mainspring.ui import format as fmt
from mainspring.ui import links
from mainspring.ui.charts.svg import el

TYPES: dict[str, type[Event]] = {
    name: value
    for name, value in vars(events).items()
    if isinstance(value, type) and issubclass(value, Event) and value is not Event
}

DETAIL_TYPES = frozenset({"StepFinished", "RunStarted", "WindowJudged", "TrackingChanged"})
"""Events that make up a decision rather than being one; timelines leave them out unless asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How ids become names: looks model and dataset versions up."""

    version: Callable[[str | None], ModelVersion | None]
    dataset_version: Callable[[str | None], DatasetVersion | None]

    def model_link(self, id_: str | None) -> Markup:
        """A model version by its name and number, or its id if it is gone."""
        found = self.version(id_)
        if found is None:
            return Markup("no model") if id_ is None else el("code", fmt.short_id(id_))
        return version_link(found.model, found.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as a timeline shows it."""

    event: StoredEvent
    sentence: Markup
    tone: str
    evidence: tuple[tuple[str, tuple[str, ...]], ...]


def tell(event: StoredEvent, names: Names) -> Told:
    """Put an event in words; one of a type that is not known yet is told by its name."""
    restored = _restored(event)
    return Told(
        event=event,
        sentence=_sentence(restored, names)
        if restored
        else Markup("{}").format(_spelt(event.type)),
        tone=_tone(restored),
        evidence=_evidence(event),
    )


def version_link(model: str, number: int) -> Markup:
    """A model version by its name."""
    return link(links.to_model(model, number), f"{model} v{number}")


def dataset_link(name: str, number: int) -> Markup:
    """A dataset version by its name."""
    return link(links.to_dataset(name, number), f"{name} v{number}")


def link(href: str, text: str) -> Markup:
    """A link, escaped."""
    return el("a", text, href=href)


def _run(id_: str) -> Markup:
    return link(links.to_run(id_), fmt.short_id(id_))


def _restored(event: StoredEvent) -> Event | None:
    type_ = TYPES.get(event.type)
    if type_ is None:
        return None
    known = {f.name for f in fields(type_)}
    payload: dict[str, Any] = {k: v for k, v in event.payload.items() if k in known}
    try:
        return convert({**payload, "service": event.service, "why": event.why}, type_)
    except Invalid:
        # Written by another version, with other fields: told by its name.
        return None


def _sentence(event: Event, names: Names) -> Markup:
    match event:
        case events.ServiceApplied(name=name):
            return Markup("applied the declaration of {}").format(
                link(links.to_service(name), name)
            )
        case events.ServicePaused(name=name):
            return Markup("paused {}").format(link(links.to_service(name), name))
        case events.ServiceResumed(name=name):
            return Markup("resumed {}").format(link(links.to_service(name), name))
        case events.RowsQuarantined() | events.QuarantineReleased() | events.QuarantineDiscarded():
            return _about_quarantine(event)
        case events.SchemaAccepted(dataset=name, number=number):
            return Markup("put schema {} of {} in force").format(
                number, link(links.to_dataset(name), name)
            )
        case events.TokenIssued(name=name, role=role):
            return Markup("issued a token to {} as {}").format(name, role)
        case events.TokenRevoked(token=token):
            return Markup("revoked the token {}").format(fmt.short_id(token))
        case events.TrackingChanged(id=id_, what=what):
            return Markup("{} {}").format(what, _run(id_) if id_.startswith("run_") else id_)
    return (
        _data(event)
        or _work(event, names)
        or _registry(event)
        or _release(event, names)
        or Markup("{}").format(_spelt(type(event).__name__))
    )


def _data(event: Event) -> Markup | None:
    match event:
        case events.DatasetVersionAdded(dataset=name, number=number, row_count=rows):
            text = Markup("added {}").format(dataset_link(name, number))
            return text + (f" with {rows:,} rows" if rows is not None else "")
        case events.DatasetVersionRefused(dataset=name, number=number, failed_checks=failed):
            return Markup("refused {}: {}").format(
                dataset_link(name, number), _counted(len(failed), "failed check")
            )
        case events.DatasetVersionRemoved(dataset=name, number=number, used_by=models):
            text = Markup("let go of the files of {}").format(dataset_link(name, number))
            return text + (f", which made {', '.join(models)}" if models else "")
        case events.RemoteAdded(remote=name, url=url):
            return Markup("named the remote {}: {}").format(name, url)
        case events.RemoteRemoved(remote=name):
            return Markup("forgot the remote {}").format(name)
        case events.CheckReportRecorded(dataset=name, number=number, passed=passed):
            return Markup("checked {}: it {}").format(
                dataset_link(name, number), "passed" if passed else "failed"
            )
    return None


def _about_quarantine(
    event: events.RowsQuarantined | events.QuarantineReleased | events.QuarantineDiscarded,
) -> Markup:
    dataset = link(links.to_dataset(event.dataset), event.dataset)
    match event:
        case events.RowsQuarantined(number=number, row_count=count):
            place = dataset_link(event.dataset, number)
            return Markup("kept {} out of {}").format(_counted(count, "row"), place)
        case events.QuarantineReleased(row_count=count):
            return Markup("released {} into {}").format(_counted(count, "quarantined row"), dataset)
        case events.QuarantineDiscarded(row_count=count):
            return Markup("discarded {} of {}").format(_counted(count, "quarantined row"), dataset)


def _work(event: Event, names: Names) -> Markup | None:
    """Runs and gates."""
    match event:
        case events.RunRequested(run=run, pipeline=pipeline):
            return Markup("asked for a run of {}: {}").format(pipeline, _run(run))
        case events.RunStarted(run=run, resumed=resumed):
            return Markup("{} {}").format("resumed" if resumed else "started", _run(run))
        case events.StepFinished(run=run, node=node, state=state):
            return Markup("finished step {} of {}: {}").format(node, _run(run), _past(state))
        case events.WaitDecided(run=run, node=node, approved=approved):
            word = "yes" if approved else "no"
            return Markup("said {} to {} of {}").format(word, node, _run(run))
        case events.RunParked(run=run):
            return Markup("left {} waiting").format(_run(run))
        case events.RunFinished(run=run, state=state):
            return Markup("finished {}: {}").format(_run(run), _past(state))
        case events.GatesEvaluated(version=version, passed=passed):
            return Markup("judged {}: it {} its gates").format(
                names.model_link(version), "passed" if passed else "did not pass"
            )
        case events.ApprovalGiven(version=version, approved=approved):
            return Markup("{} {}").format(
                "approved" if approved else "refused to approve", names.model_link(version)
            )
    return None


def _registry(event: Event) -> Markup | None:
    """Models, their versions, and who is told of them."""
    match event:
        case events.ModelRegistered(model=model):
            return Markup("made the model {}").format(link(links.to_model(model), model))
        case events.ModelVersionRegistered(model=model, number=number):
            return Markup("registered {}").format(version_link(model, number))
        case events.ModelSigned(model=model, number=number):
            return Markup("signed {}").format(version_link(model, number))
        case events.AliasMoved(model=model, alias=alias, to=to):
            target = version_link(model, to) if to is not None else Markup("nothing")
            return Markup("pointed {} of {} at {}").format(alias, model, target)
        case events.RegistryTagged(model=model, number=number, key=key, value=value):
            target = version_link(model, number) if number else link(links.to_model(model), model)
            return Markup("{} the tag {} of {}").format(
                "removed" if value is None else "set", key, target
            )
        case events.StageMoved(model=model, number=number, stage=stage):
            return Markup("moved {} to the stage {}").format(version_link(model, number), stage)
        case events.TriggerChanged(trigger=trigger, what=what):
            return Markup("trigger {}: {}").format(link(links.to_trigger(trigger), trigger), what)
        case events.LimitChanged(limit=limit, what=what):
            return Markup("limit on what uses {}: {}").format(limit, what)
        case events.BackfillChanged(backfill=backfill, pipeline=pipeline, what=what):
            return Markup("backfill {} of {}: {}").format(fmt.short_id(backfill), pipeline, what)
        case events.TriggerCalled(trigger=trigger):
            return Markup("called the trigger {}").format(link(links.to_trigger(trigger), trigger))
        case events.WebhookChanged(name=name, what=what):
            return Markup("{} the webhook {}").format(what, name)
        case events.RegistryDeleted(model=model, number=number):
            return Markup("deleted {}").format(f"{model} v{number}" if number else model)
    return None


def _release(event: Event, names: Names) -> Markup | None:
    """Rollouts, champions and incidents."""
    match event:
        case events.RolloutStarted(candidate=candidate, strategy=strategy, share=share):
            return Markup("began a {} rollout of {} at {}").format(
                strategy, names.model_link(candidate), fmt.share(share)
            )
        case events.RolloutAdvanced(candidate=candidate, share=share):
            return Markup("gave {} {} of the traffic").format(
                names.model_link(candidate), fmt.share(share)
            )
        case events.RolloutRolledBack(candidate=candidate):
            return Markup("rolled back {}").format(names.model_link(candidate))
        case events.ChampionChanged(version=version, previous=previous):
            text = Markup("made {} champion").format(names.model_link(version))
            return text + (
                Markup(", after {}").format(names.model_link(previous)) if previous else ""
            )
        case events.IncidentOpened(incident=incident, kind=kind):
            return Markup("opened {}").format(
                link(links.to_incident(incident), f"an incident: {kind.replace('-', ' ')}")
            )
        case events.IncidentClosed(incident=incident, kind=kind):
            return Markup("closed {}").format(
                link(links.to_incident(incident), f"the incident: {kind.replace('-', ' ')}")
            )
        case events.WindowJudged(start=start, findings=found):
            return Markup("judged the window of {}: {}").format(
                start[:16].replace("T", " "), _counted(len(found), "finding")
            )
    return None


def _tone(event: Event | None) -> str:
    match event:
        case events.ChampionChanged() | events.IncidentClosed():
            return "ok"
        case events.GatesEvaluated(passed=passed):
            return "ok" if passed else "bad"
        case events.ApprovalGiven(approved=approved):
            return "ok" if approved else "bad"
        case events.RunFinished(state=state):
            return {"succeeded": "ok", "failed": "bad"}.get(state, "plain")
        case events.IncidentOpened() | events.RolloutRolledBack() | events.DatasetVersionRefused():
            return "bad"
        case (
            events.RolloutStarted()
            | events.RolloutAdvanced()
            | events.ServicePaused()
            | events.RowsQuarantined()
            | events.DatasetVersionRemoved()
        ):
            return "warn"
    return "plain"


def _evidence(event: StoredEvent) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The event's fields, as name and lines."""
    found = []
    for name, value in event.payload.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, list):
            lines = tuple(str(item) for item in value)
        elif isinstance(value, dict):
            lines = tuple(f"{key}: {item}" for key, item in value.items())
        else:
            lines = (str(value),)
        found.append((name.replace("_", " "), lines))
    return tuple(found)


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _past(state: str) -> str:
    return "taken from the cache" if state == "cached" else state


def _spelt(type_: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type_).lower()
