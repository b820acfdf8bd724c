"""Exported DAGs in a real Airflow: read by its DagBag, carried out by `dags test`."""

import json
from pathlib import Path

import pytest
from tests.contract.exports.conftest import Project

from mainspring.domain.pipeline import PipelineRunState

READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
dag = bag.dags["demand"]
tasks = {
    task.task_id: {
        "after": sorted(task.upstream_task_ids),
        "mapped": task.is_mapped,
        "retries": task.retries,
        "delay": task.retry_delay.total_seconds(),
        "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
        "slots": task.pool_slots,
    }
    for task in dag.tasks
}
print("READ" + json.dumps({"id": dag.dag_id, "schedule": [dag.timetable.expression, str(dag.timetable.timezone)], "tasks": tasks}))
"""


def read(project: Project, airflow: Path, folder: Path) -> dict[str, object]:
    out = project.run(airflow / "python", "-c", READ, str(folder), **settings(project, folder))
    line = next(line for line in out.splitlines() if line.startswith("READ"))
    found: dict[str, object] = json.loads(line.removeprefix("READ"))
    return found


def settings(project: Project, dags: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(project.home.parent / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dag_carries_retries_timeouts_and_schedule_and_gives_the_same_result_or_fails_as_here(
    project: Project, airflow: Path, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    source = project.export("airflow", "--schedule", "30 3 * * 1 Europe/Berlin")
    (dags / "demand.py").write_text(source)
    (dags / "troubled.py").write_text(project.export("airflow", pipeline="flow:troubled"))

    dag = read(project, airflow, dags)
    project.run(airflow / "airflow", "db", "migrate", **settings(project, dags))
    project.run(airflow / "airflow", "dags", "test", "demand", **settings(project, dags))

    assert dag["id"] == "demand"
    assert dag["schedule"] == ["30 3 * * 1", "Europe/Berlin"]
    tasks = dag["tasks"]
    assert isinstance(tasks, dict)
    assert tasks["train"] == {
        "after": ["begin", "train_items"],
        "mapped": True,
        "retries": 2,
        "delay": 1.0,
        "timeout": 720.0,
        "slots": 1,
    }
    assert tasks["best"]["slots"] == 2
    assert tasks["report"]["after"] == ["begin", "is_good", "praise", "scold"]
    project.check_as_native()

    with pytest.raises(AssertionError, match="never"):
        project.run(airflow / "airflow", "dags", "test", "troubled", **settings(project, dags))

    run = project.newest()
    assert run["state"] is PipelineRunState.FAILED
    # Airflow tried again what may be, and not what `retry_on` leaves out.
    assert run["states"] == {"flaky": ["failed", "succeeded"], "broken": ["failed"]}
