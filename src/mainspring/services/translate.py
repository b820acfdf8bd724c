"""From the tables of a declaration to the domain's policies, with the promises that can't be kept refused."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import UNSET, UnsetType

from mainspring.domain.gate import Gate, VersusChampion
from mainspring.domain.rollout import Guard
from mainspring.domain.service import (
    ApprovalPolicy,
    DriftPolicy,
    LabelSource,
    MonitorPolicy,
    RetrainPolicy,
    RetrainTrigger,
    RolloutPolicy,
    ServicePolicy,
    ServiceSpec,
)
from mainspring.kernel.durations import format_duration, parse_duration
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.schedules import Schedule, parse_schedule
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.services.explain import Where, dotted
from mainspring.services.file_format import (
    GateTable,
    MonitorTable,
    RetrainTable,
    RolloutTable,
    ServeTable,
    ServiceTable,
)
from mainspring.services.slices import slices_of

_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
_MAX_SCHEMA_BYTES = 4 << 20


def check_name(name: str, where: str, *, what: str = "service") -> None:
    """Raise `Invalid` unless a service, or whatever is declared, may be called that."""
    if not _SERVICE_NAME.match(name):
        raise Invalid(
            f"{name[:120]!r} can't be the name of a {what}",
            where=where,
            hint="Use letters, digits, '_' and '-', at most 100 of them: it stands in URLs.",
        )


def spec_of(name: str, table: ServiceTable, folder: Path, where: Where) -> ServiceSpec:
    """A service's table as the domain's value; raises `Invalid` for promises that can't be kept."""
    path: Keys = ("service", name)
    monitor = _monitor(table.monitor, (*path, "monitor"), where)
    return ServiceSpec(
        name=name,
        pipeline=table.pipeline,
        model=_given(table.model, name),
        data=table.data,
        params=table.params,
        expect=_expect(table, path, folder, where),
        gates=tuple(_gate(g, (*path, "gate", i), where) for i, g in enumerate(table.gate)),
        rollout=_rollout(table.rollout, (*path, "rollout"), where),
        monitor=monitor,
        retrain=_retrain(table.retrain, monitor, (*path, "retrain"), where),
        serve=_serve(table.serve, (*path, "serve"), where),
    )


def read_text(path: Path, *, what: str, where: str | None, max_bytes: int) -> str:
    """A file that a declaration is, or names; raises `NotFound` or `Invalid`, saying where it is named."""
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(
            f"{what} {str(path)!r} does not exist", where=where, hint="Check the path."
        ) from error
    except (OSError, ValueError) as error:
        raise Invalid(f"{what} {str(path)!r} can't be read: {error}", where=where) from error
    if len(data) > max_bytes:
        raise Invalid(f"{what} {str(path)!r} is larger than {max_bytes >> 20} MiB", where=where)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{what} {str(path)!r} is not UTF-8 text", where=where, hint="Save it as UTF-8."
        ) from error


def _expect(table: ServiceTable, path: Keys, folder: Path, where: Where) -> dict[str, str]:
    """Dataset -> text of its schema file."""
    path = (*path, "expect")
    if isinstance(table.expect, UnsetType):
        return {}
    datasets = sorted(set(table.data.values()))
    if isinstance(table.expect, str):
        if len(datasets) > 1:
            raise Invalid(
                f"{dotted(path)} names one file for {len(datasets)} datasets",
                where=where(path),
                hint=f'Say which is which: expect = {{ {datasets[0]} = "{table.expect}" }}.',
            )
        files = {datasets[0]: (table.expect, path)}
    else:
        files = {name: (file, (*path, name)) for name, file in table.expect.items()}
    for name, (_, key) in files.items():
        if name not in datasets:
            raise Invalid(
                f"{dotted(key)} is about a dataset that the service does not read",
                where=where(key),
                hint=f"It reads: {', '.join(datasets)}.",
            )
    return {
        name: read_text(
            folder / file, what="the schema file", where=where(key), max_bytes=_MAX_SCHEMA_BYTES
        )
        for name, (file, key) in files.items()
    }


def _gate(table: GateTable, path: Keys, where: Where) -> Gate:
    if table.min is None and table.max is None and table.versus_champion is None:
        raise Invalid(
            f"{dotted(path)} asks for nothing of {table.metric!r}",
            where=where(path),
            hint="Give min, max or versus_champion.",
        )
    if table.min is not None and table.max is not None and table.min > table.max:
        raise Invalid(
            f"{dotted(path)} can't be passed: min {table.min:g} is above max {table.max:g}",
            where=where((*path, "min")),
            hint="Swap them, or leave one out.",
        )
    versus = table.versus_champion
    return Gate(
        metric=table.metric,
        min=table.min,
        max=table.max,
        versus_champion=VersusChampion(
            max_regression=versus.max_regression,
            confidence=versus.confidence,
            min_rows=versus.min_rows,
        )
        if versus
        else None,
        slices=None if table.slices is None else slices_of(table, table.slices, path, where),
    )


def _rollout(table: RolloutTable, path: Keys, where: Where) -> RolloutPolicy:
    if not isinstance(table.steps, UnsetType):
        _check_steps(table.steps, (*path, "steps"), where)
    policy = RolloutPolicy(
        **without_unset(
            strategy=table.strategy,
            steps=UNSET if isinstance(table.steps, UnsetType) else tuple(table.steps),
            hold_seconds=seconds_of(table.hold, (*path, "hold"), where),
            min_requests=table.min_requests,
            max_seconds=seconds_of(table.max_duration, (*path, "max_duration"), where),
        ),
        guards=tuple(
            Guard(metric=guard.metric, max=guard.max, min_requests=guard.min_requests)
            for guard in table.guard
        ),
    )
    least = policy.hold_seconds * len(policy.steps)
    if least >= policy.max_seconds:
        raise Invalid(
            f"{dotted(path)} can't finish: {len(policy.steps)} steps held for "
            f"{_spelt(policy.hold_seconds)} take {_spelt(least)}, and max_duration is "
            f"{_spelt(policy.max_seconds)}",
            where=where((*path, "max_duration" if table.max_duration is not UNSET else "hold")),
            hint="Shorten hold, take fewer steps, or raise max_duration.",
        )
    return policy


def _check_steps(steps: list[float], path: Keys, where: Where) -> None:
    for index in range(1, len(steps)):
        if steps[index] <= steps[index - 1]:
            raise Invalid(
                f"{dotted((*path, index))} is {steps[index]:g}, not more than the step before it",
                where=where((*path, index)),
                hint="Steps are shares of the traffic that grow, such as [0.05, 0.25, 1.0].",
            )
    if steps[-1] != 1.0:
        raise Invalid(
            f"{dotted(path)} ends at {steps[-1]:g}",
            where=where((*path, len(steps) - 1)),
            hint="The last step is 1.0, or the rollout could never finish.",
        )


def _monitor(table: MonitorTable, path: Keys, where: Where) -> MonitorPolicy:
    labels = table.labels
    policy = MonitorPolicy(
        **without_unset(
            window_seconds=seconds_of(table.window, (*path, "window"), where),
            lateness_seconds=seconds_of(table.lateness, (*path, "lateness"), where),
            drift=table.drift,
            psi_threshold=table.psi_threshold,
            max_error_growth=table.max_error_growth,
            persistence=table.persistence,
            min_rows=table.min_rows,
        ),
        labels=None
        if isinstance(labels, UnsetType)
        else LabelSource(dataset=labels.dataset, key=labels.key, column=labels.column),
    )
    if policy.window_seconds < 1:
        raise Invalid(
            f"{dotted((*path, 'window'))} is shorter than a second",
            where=where((*path, "window")),
            hint="A window must hold enough rows to be judged: minutes to days.",
        )
    return policy


def _retrain(
    table: RetrainTable, monitor: MonitorPolicy, path: Keys, where: Where
) -> RetrainPolicy:
    triggers: list[RetrainTrigger] = []
    schedules: list[Schedule] = []
    for index, text in enumerate(table.on):
        trigger = _trigger(text, (*path, "on", index), where)
        if isinstance(trigger, Schedule):
            schedules.append(trigger)
        else:
            triggers.append(trigger)
    if RetrainTrigger.HARMFUL_DRIFT in triggers and monitor.drift is DriftPolicy.OFF:
        raise Invalid(
            f"{dotted(path)} waits for harmful drift, and monitor.drift is off",
            where=where((*path, "on")),
            hint='Set monitor.drift = "harmful", or leave the trigger out.',
        )
    return RetrainPolicy(
        on=tuple(dict.fromkeys(triggers)),
        schedules=tuple(dict.fromkeys(schedules)),
        approvals=ApprovalPolicy(
            production=table.approvals.production,
            not_by_author=table.approvals.not_by_author,
        ),
        **without_unset(
            cooldown_seconds=seconds_of(table.cooldown, (*path, "cooldown"), where),
            max_failures=table.max_failures,
        ),
    )


def _trigger(text: str, path: Keys, where: Where) -> RetrainTrigger | Schedule:
    word, colon, rest = text.partition(":")
    if word.strip() == "schedule" and colon:
        try:
            return parse_schedule(rest)
        except Invalid as error:
            raise Invalid(
                f"{dotted(path)}: {error.message}",
                code=error.code,
                where=where(path),
                hint=error.hint,
            ) from error
    try:
        return RetrainTrigger(text)
    except ValueError as error:
        known = ", ".join(trigger.value for trigger in RetrainTrigger)
        raise Invalid(
            f"{dotted(path)} is {text!r}",
            where=where(path),
            hint=f"It is one of: {known}, or a schedule such as 'schedule: 0 3 * * 1 Europe/Berlin'.",
        ) from error


def _serve(table: ServeTable, path: Keys, where: Where) -> ServicePolicy:
    policy = ServicePolicy(
        **without_unset(
            workers=table.workers,
            timeout_seconds=seconds_of(table.timeout, (*path, "timeout"), where),
            max_queue=table.max_queue,
            require_signed=table.require_signed,
        )
    )
    if policy.timeout_seconds <= 0:
        raise Invalid(
            f"{dotted((*path, 'timeout'))} leaves no time to answer",
            where=where((*path, "timeout")),
            hint="Give at least some milliseconds, such as 500ms.",
        )
    return policy


def seconds_of(text: str | UnsetType, path: Keys, where: Where) -> float | UnsetType:
    """A duration in seconds; UNSET stays UNSET."""
    if isinstance(text, UnsetType):
        return UNSET
    try:
        return parse_duration(text).total_seconds()
    except OverflowError as error:
        raise Invalid(
            f"{dotted(path)} is {text!r}, longer than time itself here", where=where(path)
        ) from error
    except Invalid as error:
        raise Invalid(error.message, where=where(path), hint=error.hint) from error


def without_unset(**values: Any) -> dict[str, Any]:
    """Only what the file says: the rest keeps the policy's own default."""
    return {key: value for key, value in values.items() if value is not UNSET}


def _given(value: str | UnsetType, default: str) -> str:
    return default if isinstance(value, UnsetType) else value


def _spelt(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))
