"""`mainspring.toml` is read whole, or refused with file, line and remedy."""

from pathlib import Path

import pytest

from mainspring.domain.gate import Gate, VersusChampion
from mainspring.domain.rollout import Guard, GuardMetric, Strategy
from mainspring.domain.service import (
    ApprovalPolicy,
    DriftPolicy,
    LabelSource,
    MonitorPolicy,
    RetrainPolicy,
    RetrainTrigger,
    RolloutPolicy,
    ServicePolicy,
)
from mainspring.kernel.errors import Invalid, MainspringError, NotFound
from mainspring.services.declaration import parse_declaration, read_declaration

WHOLE = """
[service.demand]
pipeline = "flow:demand"
data     = { rides = "rides" }
expect   = "rides.schema.toml"
params   = { depth = 6, names = ["a", "b"] }

[[service.demand.gate]]
metric = "rmse"
max = 60
versus_champion = { max_regression = 0.0, confidence = 0.95 }

[[service.demand.gate]]
metric = "r2"
min = 0.5

[service.demand.rollout]
strategy = "shadow"
steps = [0.05, 0.25, 1.0]
hold = "10m"
min_requests = 5
max_duration = "2h"
guard = [{ metric = "p99_latency_ms", max = 50 }, { metric = "error_rate", max = 0.01, min_requests = 3 }]

[service.demand.monitor]
window = "1h"
lateness = "5m"
drift = "any"
psi_threshold = 0.1
max_error_growth = 0.5
persistence = 3
min_rows = 10
labels = { dataset = "rides", key = "ride_id", column = "count" }

[service.demand.retrain]
on = ["new-data", "harmful-drift"]
cooldown = "1d"
max_failures = 2
approvals = { production = 1, not_by_author = true }

[service.demand.serve]
workers = 2
timeout = "500ms"
max_queue = 64
"""

LEAST = '[service.demand]\npipeline = "flow:demand"\ndata = { rides = "rides" }\n'


def refusal(text: str, folder: Path = Path("/nowhere")) -> MainspringError:
    with pytest.raises(MainspringError) as caught:
        parse_declaration(text, folder=folder)
    return caught.value


def test_every_key_is_read_into_its_policy(tmp_path: Path) -> None:
    (tmp_path / "rides.schema.toml").write_text("# a schema")
    (tmp_path / "mainspring.toml").write_text(WHOLE)

    (spec,) = read_declaration(tmp_path / "mainspring.toml").services

    assert (spec.name, spec.model, spec.pipeline) == ("demand", "demand", "flow:demand")
    assert spec.data == {"rides": "rides"}
    assert spec.params == {"depth": 6, "names": ["a", "b"]}
    assert spec.expect == {"rides": "# a schema"}
    assert spec.gates == (
        Gate(metric="rmse", max=60.0, versus_champion=VersusChampion()),
        Gate(metric="r2", min=0.5),
    )
    assert spec.rollout == RolloutPolicy(
        strategy=Strategy.SHADOW,
        steps=(0.05, 0.25, 1.0),
        hold_seconds=600,
        min_requests=5,
        max_seconds=7200,
        guards=(
            Guard(metric=GuardMetric.P99_LATENCY_MS, max=50),
            Guard(metric=GuardMetric.ERROR_RATE, max=0.01, min_requests=3),
        ),
    )
    assert spec.monitor == MonitorPolicy(
        window_seconds=3600,
        lateness_seconds=300,
        drift=DriftPolicy.ANY,
        psi_threshold=0.1,
        max_error_growth=0.5,
        persistence=3,
        min_rows=10,
        labels=LabelSource(dataset="rides", key="ride_id", column="count"),
    )
    assert spec.retrain == RetrainPolicy(
        on=(RetrainTrigger.NEW_DATA, RetrainTrigger.HARMFUL_DRIFT),
        cooldown_seconds=86400,
        max_failures=2,
        approvals=ApprovalPolicy(production=1, not_by_author=True),
    )
    assert spec.serve == ServicePolicy(workers=2, timeout_seconds=0.5, max_queue=64)


def test_what_is_left_out_keeps_its_default() -> None:
    (spec,) = parse_declaration(LEAST, folder=Path()).services

    assert (spec.model, spec.gates, spec.expect) == ("demand", (), {})
    assert spec.rollout == RolloutPolicy()
    assert spec.monitor == MonitorPolicy()
    assert spec.retrain == RetrainPolicy()
    assert spec.serve == ServicePolicy()


def test_several_services_keep_their_order() -> None:
    text = LEAST + LEAST.replace("service.demand", "service.another")

    assert [spec.name for spec in parse_declaration(text, folder=Path()).services] == [
        "demand",
        "another",
    ]


@pytest.mark.parametrize(
    ("addition", "line", "message", "hint"),
    [
        ('modle = "x"', 4, "unknown key 'service.demand.modle'", "Did you mean 'model'?"),
        ("rollout.stepz = [1]", 4, "unknown key 'service.demand.rollout.stepz'", "'steps'"),
        ("rollout.hold = 5", 4, "service.demand.rollout.hold is 5", "text in quotes"),
        ('rollout.hold = "5"', 4, "rollout.hold is '5'", "10m"),
        ("rollout.steps = [0.1, 3]", 4, "rollout.steps[1] is 3", "a number <= 1.0"),
        ("rollout.steps = [\n0.1,\n0.05\n]", 6, "is 0.05, not more", "shares of the traffic"),
        ("rollout.steps = [0.1, 0.5]", 4, "steps ends at 0.5", "The last step is 1.0"),
        ('rollout.strategy = "ab"', 4, "strategy is 'ab'", "canary, shadow, blue-green"),
        ('rollout.hold = "10h"', 4, "can't finish: 3 steps held for 10h", "Shorten hold"),
        ('rollout.guard = [{ metric = "p95", max = 1 }]', 4, "guard[0].metric is 'p95'", "p99"),
        ("[[service.demand.gate]]\nmetric = 1", 5, "gate[0].metric is 1", "text in quotes"),
        ('[[service.demand.gate]]\nmetric = "x"', 4, "asks for nothing of 'x'", "Give min"),
        ('gate = [{metric = "x", min = 2, max = 1}]', 4, "can't be passed", "Swap"),
        ("gate = [{ max = 1 }]", 4, "gate[0] has no 'metric'", 'metric = "rmse"'),
        (
            '[[service.demand.gate]]\nmetric = "x"\n[service.demand.gate.versus_champion]\n'
            "confidence = 2.0",
            7,
            "confidence is 2.0",
            "< 1.0",
        ),
        ("serve.workers = true", 4, "serve.workers is true", "a whole number"),
        ('serve.timeout = "0s"', 4, "leaves no time to answer", "500ms"),
        ("params = { a = nan }", 4, "params.a is nan", "finite"),
        ("params = { a = 2020-01-01 }", 4, "is a date or time", '"2020-01-01"'),
        ("params = { a = 99999999999999999999 }", 4, "more than 64 bits", "smaller"),
        ('retrain.on = ["schedule: 0 25 * * 1"]', 4, "bad hour", "hour 0-23"),
        (
            'retrain.on = ["schedule: 0 3 * * 1 Mars/Base"]',
            4,
            "names no time zone",
            "Europe/Berlin",
        ),
        ('retrain.on = ["schedule 0 3 * * 1"]', 4, "retrain.on[0] is 'schedule 0", "schedule: 0 3"),
        ('retrain.on = ["drift"]', 4, "retrain.on[0] is 'drift'", "harmful-drift"),
        ('monitor.drift = "off"\nretrain.on = ["harmful-drift"]', 5, "drift is off", "harmful"),
        ('monitor.window = "1ms"', 4, "shorter than a second", "rows to be judged"),
        ('monitor.labels = { dataset = "rides" }', 4, "labels has no 'key'", "Add key"),
        ('expect = { other = "x.toml" }', 4, "does not read", "It reads: rides"),
        ('expect = "missing.toml"', 4, "does not exist", "Check the path"),
        ("x =", 4, "not valid TOML", "missing quote"),
    ],
)
def test_what_does_not_fit_is_refused_with_line_and_remedy(
    addition: str, line: int, message: str, hint: str
) -> None:
    error = refusal(LEAST + addition)

    assert error.where == f"mainspring.toml:{line}"
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no service is declared"),
        ("service = 3", "service is not a table"),
        ("[service]", "no service is declared"),
        ("[service]\ndemand = 3", "service.demand is not a table"),
        ('[service."a b"]\npipeline = "a:b"', "can't be the name of a service"),
        ('[servise.a]\npipeline = "a:b"', "unknown key 'servise'"),
        ('[service.a]\npipeline = "flow"\ndata = { r = "r" }', "service.a.pipeline is 'flow'"),
        ('[service.a]\npipeline = "a:b"', "service.a has no 'data'"),
        ('[service.a]\npipeline = "a:b"\ndata = { r = "ok", s = 5 }', "service.a.data.s is 5"),
        ('[service.a]\npipeline = "a:b"\ndata = { r = "x\\n" }', "service.a.data.r is 'x"),
    ],
)
def test_a_service_that_can_not_be_is_refused(text: str, message: str) -> None:
    error = refusal(text)

    assert message in error.message
    assert (error.where or "").startswith("mainspring.toml:")


def test_one_schema_file_for_two_datasets_is_refused(tmp_path: Path) -> None:
    text = LEAST.replace('"rides" }', '"rides", w = "weather" }') + 'expect = "x.toml"'

    assert "one file for 2 datasets" in refusal(text).message


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        read_declaration(tmp_path / "mainspring.toml")


@pytest.mark.parametrize(
    ("content", "message"), [(b"\xff\xfe", "not UTF-8"), (b"#" * (1 << 21), "larger than 1 MiB")]
)
def test_a_file_that_is_no_declaration_is_invalid(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "mainspring.toml").write_bytes(content)

    with pytest.raises(Invalid, match=message):
        read_declaration(tmp_path)


def test_a_schedule_is_read_with_its_time_zone() -> None:
    text = LEAST + 'retrain.on = ["schedule: 0 3 * * 1 Europe/Berlin", "new-data"]'

    (spec,) = parse_declaration(text, folder=Path("/nowhere")).services

    assert [str(schedule) for schedule in spec.retrain.schedules] == ["0 3 * * 1 Europe/Berlin"]
