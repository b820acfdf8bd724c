"""Triggers as `mainspring.toml` declares them."""

from pathlib import Path

import pytest

from mainspring.domain.trigger import CatchUp, CauseKind, Source, TriggerMode, TriggerSpec
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.schedules import parse_schedule
from mainspring.services.declaration import parse_declaration
from mainspring.services.json_schema import declaration_schema

LEAST = '[trigger.nightly]\npipeline = "flow:flow"\non = ["data: rides"]\n'
WHOLE = """
[trigger.nightly]
pipeline = "flow:flow"
on = [
  "schedule: 0 3 * * 1 Europe/Berlin", "data: rides", "incident: demand harmful-drift", "finding: demand",
  "model: embedding", "champion: embedding", "webhook", "file: inbox/*.csv", "git: . main",
  "git: git@host.example:team/repo.git release 2",
]
data = { table = "rides" }
params = { day = "${day}", depth = 3 }
mode = "latest"
catch_up = "all"
debounce = "30s"
cooldown = "1h"
max_staleness = "7d"
budget = { runs = 10, per = "12h" }
concurrency = 2
"""


def declared(text: str) -> TriggerSpec:
    (spec,) = parse_declaration(text, folder=Path("/project")).triggers
    return spec


def test_every_key_of_a_trigger_is_read() -> None:
    assert declared(WHOLE.replace("release 2", "release-2")) == TriggerSpec(
        name="nightly",
        pipeline="flow:flow",
        on=(
            Source(kind=CauseKind.SCHEDULE, schedule=parse_schedule("0 3 * * 1 Europe/Berlin")),
            Source(kind=CauseKind.DATA, subject="rides"),
            Source(kind=CauseKind.INCIDENT, subject="demand", detail="harmful-drift"),
            Source(kind=CauseKind.FINDING, subject="demand"),
            Source(kind=CauseKind.MODEL, subject="embedding"),
            Source(kind=CauseKind.CHAMPION, subject="embedding"),
            Source(kind=CauseKind.WEBHOOK),
            Source(kind=CauseKind.FILE, subject="/project/inbox/*.csv"),
            Source(kind=CauseKind.GIT, subject="/project", detail="main"),
            Source(
                kind=CauseKind.GIT, subject="git@host.example:team/repo.git", detail="release-2"
            ),
        ),
        data={"table": "rides"},
        params={"day": "${day}", "depth": 3},
        mode=TriggerMode.LATEST,
        catch_up=CatchUp.ALL,
        debounce_seconds=30,
        cooldown_seconds=3600,
        max_staleness_seconds=7 * 86400,
        budget_runs=10,
        budget_seconds=43200,
        concurrency=2,
    )


def test_what_is_left_out_keeps_its_default() -> None:
    assert declared(LEAST) == TriggerSpec(
        name="nightly", pipeline="flow:flow", on=(Source(kind=CauseKind.DATA, subject="rides"),)
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "data: rides",
            "data rides",
            r"mainspring.toml:3: trigger.nightly.on\[0\] is 'data rides'",
        ),
        ("data: rides", "hand", "It is one of: schedule"),
        ("data: rides", "stale", "It is one of: schedule"),
        ("data: rides", "data:", "It is one of: schedule"),
        ("data: rides", "data: rides 3", "It is one of: schedule"),
        ("data: rides", "webhook: x", "It is one of: schedule"),
        ("data: rides", "git: repo", "It is one of: schedule"),
        ("data: rides", "git: --upload-pack=x main", "is no repository"),
        ("data: rides", "incident: demand boredom", "It is one of: harmful-drift"),
        ("data: rides", "schedule: 61 * * * *", "is no schedule"),
        ('"data: rides"', "", "waits for nothing"),
        ("on =", "onn =", "Did you mean 'on'"),
        ("on =", 'mode = "some"\non =', "It is one of: each, all_pending, latest"),
        ("on =", 'max_staleness = "0s"\non =', "is no time at all"),
        ("on =", 'budget = { per = "1d" }\non =', "has no 'runs'"),
        ("on =", "budget = { runs = 0 }\non =", "takes a whole number"),
        ("on =", 'cooldown = "soon"\non =', "A duration is written like"),
        ("[trigger.nightly]", "[trigger.'a/b']", "can't be the name of a trigger"),
        ("[trigger.nightly]", "[trigers.nightly]", "Did you mean 'trigger'"),
    ],
)
def test_what_can_t_be_is_refused_with_its_line_and_a_remedy(
    before: str, after: str, told: str
) -> None:
    with pytest.raises(MainspringError, match=told) as caught:
        parse_declaration(LEAST.replace(before, after), folder=Path("/project"))

    assert str(caught.value.where).startswith("mainspring.toml:")


def test_a_table_that_is_none_is_refused() -> None:
    with pytest.raises(MainspringError, match="trigger is not a table"):
        parse_declaration("trigger = 3", folder=Path("/project"))


def test_services_and_triggers_stand_side_by_side() -> None:
    service = '[service.demand]\npipeline = "flow:demand"\ndata = { rides = "rides" }\n'

    declared = parse_declaration(LEAST + service, folder=Path("/project"))

    assert [spec.name for spec in declared.services] == ["demand"]
    assert [spec.name for spec in declared.triggers] == ["nightly"]


def test_the_schema_for_editors_knows_triggers() -> None:
    parts = declaration_schema()["$defs"]

    assert set(parts["TriggerTable"]["properties"]) >= {"on", "mode", "budget", "catch_up"}
    assert parts["TriggerTable"]["additionalProperties"] is False


def test_a_repository_s_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(MainspringError, match="holds a password") as caught:
        declared(LEAST.replace("data: rides", "git: https://me:tiger-lily@host.example/a.git main"))

    assert "tiger" not in f"{caught.value} {caught.value.hint} {caught.value.where}"
    declared(LEAST.replace("data: rides", "git: ssh://git@host.example:22/a.git main"))
