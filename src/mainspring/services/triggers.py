"""From a trigger's table to the domain's value."""

import re
from pathlib import Path
from typing import Any

from msgspec import UnsetType

from mainspring.domain.monitor import IncidentKind
from mainspring.domain.trigger import CauseKind, Source, TriggerSpec
from mainspring.kernel.errors import Invalid
from mainspring.kernel.schedules import parse_schedule
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.services.explain import Where, dotted
from mainspring.services.file_format import TriggerTable
from mainspring.services.translate import seconds_of, without_unset

# What each kind of source says after its colon.
_SAYS: dict[CauseKind, str] = {
    CauseKind.SCHEDULE: "schedule: 0 3 * * 1 Europe/Berlin",
    CauseKind.DATA: "data: DATASET",
    CauseKind.INCIDENT: "incident: SERVICE [KIND]",
    CauseKind.FINDING: "finding: SERVICE",
    CauseKind.MODEL: "model: MODEL",
    CauseKind.CHAMPION: "champion: MODEL",
    CauseKind.WEBHOOK: "webhook",
    CauseKind.FILE: "file: FOLDER/*.csv",
    CauseKind.GIT: "git: REPOSITORY BRANCH",
}
_WITH_PASSWORD = re.compile(r"[A-Za-z0-9+.-]+://[^/@]*:[^/]*@")
_WITH_DETAIL = (CauseKind.INCIDENT, CauseKind.GIT)


def trigger_of(name: str, table: TriggerTable, folder: Path, where: Where) -> TriggerSpec:
    """A trigger's table as the domain's value; raises `Invalid` for what can't be waited for.

    Files and repositories that don't begin at the root are looked for from `folder`.
    """
    path: Keys = ("trigger", name)
    sources = tuple(
        _source(text, folder, (*path, "on", index), where) for index, text in enumerate(table.on)
    )
    if not sources and isinstance(table.max_staleness, UnsetType):
        raise Invalid(
            f"{dotted(path)} waits for nothing",
            where=where(path),
            hint='Say what it is on, such as on = ["data: rides"], or a max_staleness.',
        )
    return TriggerSpec(
        name=name,
        pipeline=table.pipeline,
        on=tuple(dict.fromkeys(sources)),
        data=table.data,
        params=table.params,
        **without_unset(
            mode=table.mode,
            catch_up=table.catch_up,
            debounce_seconds=seconds_of(table.debounce, (*path, "debounce"), where),
            cooldown_seconds=seconds_of(table.cooldown, (*path, "cooldown"), where),
            max_staleness_seconds=_longer(table.max_staleness, (*path, "max_staleness"), where),
            concurrency=table.concurrency,
            priority=table.priority,
            **_budget(table, path, where),
        ),
    )


def _budget(table: TriggerTable, path: Keys, where: Where) -> dict[str, Any]:
    if isinstance(table.budget, UnsetType):
        return {}
    per = _longer(table.budget.per, (*path, "budget", "per"), where)
    return {"budget_runs": table.budget.runs, "budget_seconds": per}


def _longer(text: str | UnsetType, path: Keys, where: Where) -> float | UnsetType:
    """A span that must not be over before it began."""
    seconds = seconds_of(text, path, where)
    if seconds == 0:
        raise Invalid(f"{dotted(path)} is no time at all", where=where(path))
    return seconds


def _source(text: str, folder: Path, path: Keys, where: Where) -> Source:
    word, _, rest = (part.strip() for part in text.partition(":"))
    kind = next((kind for kind in _SAYS if kind.value == word), None)
    if kind is None:
        raise _not_a_source(text, path, where)
    if kind is CauseKind.SCHEDULE:
        return _schedule(rest, path, where)
    subject, _, detail = rest.rpartition(" ") if kind is CauseKind.GIT else rest.partition(" ")
    subject, detail = subject.strip(), detail.strip()
    if (kind is CauseKind.WEBHOOK) == bool(subject) or (detail and kind not in _WITH_DETAIL):
        raise _not_a_source(text, path, where)
    if kind is CauseKind.INCIDENT and detail and detail not in set(IncidentKind):
        raise Invalid(
            f"{dotted(path)} waits for an incident of the kind {detail!r}",
            where=where(path),
            hint=f"It is one of: {', '.join(each.value for each in IncidentKind)}.",
        )
    if kind is CauseKind.FILE:
        subject = str(folder.absolute() / subject)
    if kind is CauseKind.GIT:
        subject = _repository(subject, folder, path, where)
    return Source(kind=kind, subject=subject, detail=detail)


def _schedule(text: str, path: Keys, where: Where) -> Source:
    try:
        return Source(kind=CauseKind.SCHEDULE, schedule=parse_schedule(text))
    except Invalid as error:
        raise Invalid(
            f"{dotted(path)}: {error.message}", code=error.code, where=where(path), hint=error.hint
        ) from error


def _repository(text: str, folder: Path, path: Keys, where: Where) -> str:
    if text.startswith("-"):
        raise Invalid(f"{dotted(path)}: {text!r} is no repository", where=where(path))
    if _WITH_PASSWORD.match(text):
        raise Invalid(
            f"{dotted(path)}: the repository's address holds a password, and would be shown wherever the trigger is",
            code="password_in_address",
            where=where(path),
            hint="Leave it out, and give git on the controller's machine a credential helper or an SSH key.",
        )
    # `host:path` and `scheme://` are addresses; all else is a folder.
    return text if ":" in text else str((folder.absolute() / text).resolve())


def _not_a_source(text: str, path: Keys, where: Where) -> Invalid:
    return Invalid(
        f"{dotted(path)} is {text!r}",
        where=where(path),
        hint=f"It is one of: {'; '.join(_SAYS.values())}.",
    )
