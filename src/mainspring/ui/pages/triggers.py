"""Triggers: what makes pipelines run by themselves, and what came of what happened."""

from datetime import timedelta

from mainspring.domain.actor import Permission
from mainspring.domain.trigger import TriggerSpec
from mainspring.kernel.durations import format_duration
from mainspring.triggers.requests import (
    GetTrigger,
    ListCauses,
    ListTriggers,
    PauseTrigger,
    ResumeTrigger,
)
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_PAGE = 100


def triggers(reader: Reader, asked: Asked) -> Page:
    """Every trigger, with what waits and what is waited for."""
    return Page(
        template="triggers.html",
        title="Triggers",
        section="runs",
        refresh_seconds=5,
        context={"triggers": reader.ask(ListTriggers())},
    )


def trigger(reader: Reader, asked: Asked) -> Page:
    """One trigger: its declaration, how it is, and what happened."""
    name = asked.path["trigger"]
    status = reader.ask(GetTrigger(name=name))
    token = asked.get("page")
    page = reader.ask(ListCauses(trigger=name, limit=_PAGE, page_token=token))
    here = links.to_trigger(name)
    return Page(
        template="trigger.html",
        title=f"Trigger {name}",
        section="runs",
        refresh_seconds=None if token else 2,
        context={
            "status": status,
            "rules": rules(status.trigger.spec),
            "causes": page.items,
            "may_operate": reader.may(Permission.OPERATE),
            "next_address": links.with_query(here, page=page.next_token)
            if page.next_token
            else None,
            "first_address": here if token else None,
        },
    )


def pause(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Keep the trigger from asking for runs."""
    reader.ask(PauseTrigger(name=asked.path["trigger"]))
    return links.to_trigger(asked.path["trigger"])


def resume(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Let the trigger ask for runs again."""
    reader.ask(ResumeTrigger(name=asked.path["trigger"]))
    return links.to_trigger(asked.path["trigger"])


def rules(spec: TriggerSpec) -> list[tuple[str, str]]:
    """How a trigger was declared, but for what is at its default and means nothing."""
    found = [
        ("on", "; ".join(str(source) for source in spec.on) or "nothing that happens"),
        ("mode", spec.mode.value.replace("_", " ")),
        ("runs at once", str(spec.concurrency)),
    ]
    if spec.schedules:
        found.append(("missed times", f"catch up {spec.catch_up.value}"))
    for name, seconds in (
        ("debounce", spec.debounce_seconds),
        ("cool-down", spec.cooldown_seconds),
        ("max staleness", spec.max_staleness_seconds),
    ):
        if seconds:
            found.append((name, _spelt(seconds)))
    if spec.budget_runs:
        found.append(("budget", f"{spec.budget_runs} runs in {_spelt(spec.budget_seconds)}"))
    return found


def _spelt(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))
