import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.config import load_settings
from mainspring.domain.prediction import Label, Prediction
from mainspring.domain.rollout import Strategy
from mainspring.domain.service import RolloutPolicy, ServicePolicy
from mainspring.kernel.errors import Invalid
from mainspring.serving.log import reader
from mainspring.serving.log.writer import recover
from mainspring.serving.requests import (
    ListServingReports,
    RollBackRollout,
    StartRollout,
)
from mainspring.testing.models import a_trick_model
from mainspring.testing.serving import (
    Load,
    Predictor,
    a_declared_service,
    a_judged_version,
    a_predictor,
    a_question,
    promoted,
)

INPUTS = pl.DataFrame({"x": [1.0, 2.0]})


def logged(app: App) -> list[Prediction]:
    root = app.settings.predictions_path
    found = [
        record
        for path in reader.segments(root, "demand")
        for record in reader.read(path, limit_bytes=1 << 30)[0]
    ]
    return [record for record in found if isinstance(record, Prediction)]


def workers_of(predictor: Predictor) -> list[int]:
    children = Path(f"/proc/{predictor.process.pid}/task/{predictor.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def test_an_answer_carries_what_traces_it_and_is_logged(live_app: App) -> None:
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()

        parameters = {"key": "ride-1", "event_time": "2011-05-01T10:00:00"}
        status, body = predictor.infer(x=21.0, parameters=parameters)

    assert status == 200
    (id_,) = body["parameters"]["prediction_id"]
    assert (body["model_name"], body["model_version"]) == ("demand", "1")
    assert (body["parameters"]["arm"], body["parameters"]["model_version"]) == ("champion", "1")
    assert body["outputs"] == [
        {"name": "prediction", "shape": [1], "datatype": "FP64", "data": [42.0]}
    ]
    (record,) = logged(live_app)
    assert (record.id, record.key, record.inputs, record.output) == (id_, "ride-1", {"x": 21.0}, 42)
    assert record.event_at.isoformat() == "2011-05-01T10:00:00+00:00"
    assert record.latency_ms > 0


def test_labels_are_in_the_log_when_they_are_acknowledged(live_app: App) -> None:
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        labels = [{"key": "a", "value": 3.5}, {"prediction_id": "prd_x", "value": True}]

        status, body = predictor.ask("POST", "/v2/models/demand/labels", labels)
        os.kill(predictor.process.pid, signal.SIGKILL)

    assert (status, body) == (200, {"accepted": 2})
    (path,) = reader.segments(live_app.settings.predictions_path, "demand")
    records, *_ = reader.read(path)
    assert [(r.key, r.prediction, r.value) for r in records if isinstance(r, Label)] == [
        ("a", None, 3.5),
        (None, "prd_x", True),
    ]


def test_a_new_champion_takes_over_under_load_without_a_failed_request(live_app: App) -> None:
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(2.0), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        with Load(predictor.port, clients=4) as load:
            load.wait_for(200)
            promoted(live_app, a_judged_version(live_app, a_trick_model(3.0), INPUTS))
            predictor.wait_ready(numbers={"2"})
            load.wait_for(200)
            promoted(live_app, a_judged_version(live_app, a_trick_model(4.0), INPUTS))
            predictor.wait_ready(numbers={"3"})
            load.wait_for(200)
        time.sleep(2.0)  # old workers end a second after their last request

        assert load.lost == []
        assert set(load.answers) == {200}
        assert set(load.versions) == {"1", "2", "3"}
        assert len(workers_of(predictor)) == 1


def test_a_killed_worker_loses_no_request(live_app: App) -> None:
    a_declared_service(live_app, serve=ServicePolicy(timeout_seconds=30.0))
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        with Load(predictor.port, clients=4) as load:
            load.wait_for(100)
            os.kill(workers_of(predictor)[0], signal.SIGKILL)
            load.wait_for(300)

    assert load.lost == []
    assert set(load.answers) == {200}
    assert load.count >= 400


def test_sigterm_under_load_answers_every_request_that_was_sent(live_app: App) -> None:
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        with Load(predictor.port, clients=8) as load:
            load.wait_for(200)
            pids = workers_of(predictor)
            status = predictor.stop()

    assert status == 0
    assert load.lost == []
    assert set(load.answers) == {200}
    assert {record.id for record in logged(live_app)} == set(load.ids)
    assert all(
        reader.is_sealed(p) for p in reader.segments(live_app.settings.predictions_path, "demand")
    )
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_killed_predictor_keeps_its_log_up_to_the_last_moment(live_app: App) -> None:
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        (worker,) = workers_of(predictor)
        with Load(predictor.port, clients=4) as load:
            load.wait_for(300)
            with load._lock:
                before = set(load.ids)
            time.sleep(0.15)
            predictor.stop(signal.SIGKILL)

    recover(live_app.settings.predictions_path)
    ids = [record.id for record in logged(live_app)]
    assert before <= set(ids)
    assert len(ids) == len(set(ids))
    for _ in range(40):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_a_canary_is_sticky_by_key_and_gets_about_its_share(live_app: App) -> None:
    a_declared_service(live_app, rollout=RolloutPolicy(steps=(0.3, 1.0)))
    promoted(live_app, a_judged_version(live_app, a_trick_model(2.0), INPUTS))
    second = a_judged_version(live_app, a_trick_model(3.0), INPUTS)
    live_app.call(StartRollout(service="demand", version=second.id))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready(numbers={"1", "2"})
        keys = [f"key-{n}" for n in range(400)]

        answers = [predictor.infer(x=[1.0] * 400, parameters={"key": keys})[1] for _ in range(2)]
        one = predictor.infer(x=1.0, parameters={"key": keys[0]})[1]

    arms = answers[0]["parameters"]["arm"]
    assert arms == answers[1]["parameters"]["arm"]
    assert one["parameters"]["arm"] == arms[0]
    assert 80 < arms.count("candidate") < 160
    values = answers[0]["outputs"][0]["data"]
    assert values == [3.0 if arm == "candidate" else 2.0 for arm in arms]


def test_a_candidate_that_fails_costs_no_caller_an_answer(live_app: App) -> None:
    class Broken:
        def predict(self, table: pl.DataFrame) -> object:
            if table["x"][0] == 7.0:
                raise RuntimeError("broken")
            return table["x"].to_numpy()

    a_declared_service(live_app, rollout=RolloutPolicy(steps=(0.5, 1.0)))
    promoted(live_app, a_judged_version(live_app, a_trick_model(2.0), INPUTS))
    second = a_judged_version(live_app, Broken(), INPUTS)
    rollout = live_app.call(StartRollout(service="demand", version=second.id))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready(numbers={"1", "2"})

        answers = [predictor.infer(x=7.0, parameters={"key": str(n)}) for n in range(40)]
        live_app.call(RollBackRollout(rollout=rollout.id))
        predictor.wait_ready(numbers={"1"})

    assert {status for status, _ in answers} == {200}
    assert {body["parameters"]["arm"] for _, body in answers} == {"champion"}
    failures = [r for r in logged(live_app) if r.arm == "candidate"]
    assert 5 < len(failures) < 35
    assert {(r.code, r.error) for r in failures} == {(500, "RuntimeError: broken")}


def test_a_shadow_sees_copies_and_answers_nobody(live_app: App) -> None:
    a_declared_service(live_app, rollout=RolloutPolicy(strategy=Strategy.SHADOW))
    promoted(live_app, a_judged_version(live_app, a_trick_model(2.0), INPUTS))
    second = a_judged_version(live_app, a_trick_model(3.0), INPUTS)
    live_app.call(StartRollout(service="demand", version=second.id))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready(numbers={"1", "2"})

        answers = [predictor.infer(x=1.0, parameters={"key": str(n)})[1] for n in range(10)]
        time.sleep(0.3)

    assert [a["outputs"][0]["data"] for a in answers] == [[2.0]] * 10
    shadows = [r for r in logged(live_app) if r.arm == "shadow"]
    assert [r.output for r in shadows] == [3.0] * 10
    assert {r.key for r in shadows} == {str(n) for n in range(10)}


def test_an_altered_candidate_is_reported_and_gets_no_traffic(live_app: App) -> None:
    from mainspring.blobs.trees import read_manifest

    a_declared_service(live_app, rollout=RolloutPolicy(steps=(0.5, 1.0)))
    promoted(live_app, a_judged_version(live_app, a_trick_model(2.0), INPUTS))
    second = a_judged_version(live_app, a_trick_model(3.0), INPUTS)
    entry = next(
        e for e in read_manifest(live_app.blobs, second.manifest).entries if e.path == "model.pkl"
    )
    path = live_app.blobs.path_of(entry.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    live_app.call(StartRollout(service="demand", version=second.id))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        for _ in range(200):
            reports = live_app.call(ListServingReports())
            if reports and reports[0].failed:
                break
            time.sleep(0.05)

        answers = [predictor.infer(x=1.0, parameters={"key": str(n)})[1] for n in range(20)]

    assert "model.pkl are damaged" in reports[0].failed[second.id]
    assert {a["parameters"]["model_version"] for a in answers} == {"1"}


def test_it_answers_by_the_last_routing_while_the_store_is_away(live_app: App) -> None:
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    home = live_app.settings.home
    with a_predictor(home) as predictor:
        predictor.wait_ready()
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    with a_predictor(home, database=nowhere) as predictor:
        predictor.wait_ready()

        status, body = predictor.infer(x=4.0)

    assert (status, body["outputs"][0]["data"]) == (200, [8.0])


def test_a_port_in_use_is_a_clear_error(live_app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    with a_predictor(live_app.settings.home) as predictor:
        environment = {
            **os.environ,
            "MAINSPRING_HOME": str(live_app.settings.home),
            "MAINSPRING_SERVING_PORT": str(predictor.port),
        }
        second = subprocess.run(
            [sys.executable, "-m", "mainspring.server.child", "predictor"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert second.returncode == 3
    assert f"port {predictor.port} on 127.0.0.1 is in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_reports_say_what_a_process_can_answer_with(live_app: App) -> None:
    a_declared_service(live_app)
    version = a_judged_version(live_app, a_trick_model(), INPUTS)
    promoted(live_app, version)
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        for _ in range(100):
            reports = live_app.call(ListServingReports())
            if reports and reports[0].ready:
                break
            time.sleep(0.05)

    assert reports[0].ready == (version.id,)
    assert reports[0].address == f"http://127.0.0.1:{predictor.port}"
    assert live_app.call(ListServingReports()) == ()


def test_overload_and_slowness_have_statuses_of_their_own(live_app: App) -> None:
    policy = ServicePolicy(timeout_seconds=0.6, max_queue=1)
    a_declared_service(live_app, serve=policy)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        with ThreadPoolExecutor(8) as threads:
            busy = list(threads.map(lambda _: predictor.infer(x=-5.0), range(8)))
        failed = predictor.infer(x=-3.0)
        slow = predictor.infer(x=-2.0)

    statuses = [status for status, _ in busy]
    assert set(statuses) == {200, 429}
    assert "requests wait" in next(body["error"] for status, body in busy if status == 429)
    assert (failed[0], "told to fail" in failed[1]["error"]) == (500, True)
    assert (slow[0], "did not answer within 0.6 s" in slow[1]["error"]) == (504, True)
    assert {r.code for r in logged(live_app) if r.output is None} == {500, 504}


def test_question_helper_makes_valid_calls() -> None:
    assert a_question(x=1.0)["inputs"][0]["shape"] == [1]


def test_a_predictor_with_a_token_answers_only_those_who_show_it(
    live_app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "correct-horse-battery"
    monkeypatch.setenv("MAINSPRING_SERVING_TOKEN", token)
    a_declared_service(live_app)
    promoted(live_app, a_judged_version(live_app, a_trick_model(), INPUTS))
    path, question = "/v2/models/demand/infer", a_question(x=21.0)

    def asked(authorization: str) -> int:
        headers = {"Authorization": authorization} if authorization else {}
        return predictor.ask("POST", path, question, headers)[0]

    with a_predictor(live_app.settings.home) as predictor:
        predictor.wait_ready()
        refused = ["", token, f"Bearer {token}x", "Bearer ", f"Basic {token}", "Bearer \xff"]
        assert [asked(text) for text in refused] == [401] * len(refused)
        assert predictor.ask("GET", "/metrics")[0] == 401
        assert predictor.ask("POST", "/v2/models/demand/labels", [])[0] == 401
        assert asked(f"Bearer {token}") == asked(f"bearer {token}") == 200
    assert len(logged(live_app)) == 2


@pytest.mark.parametrize(
    "token", ["short", "with a space in its middle", "ein-sehr-böses-Kennwort"]
)
def test_a_token_that_protects_little_is_refused(token: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="serving_token"):
        load_settings({"MAINSPRING_SERVING_TOKEN": token}, home=tmp_path)
