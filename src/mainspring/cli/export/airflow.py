"""A pipeline as an Airflow DAG."""

from mainspring.cli.export.plan import Plan, Task, Written
from mainspring.cli.export.python_text import call, literal, tuple_of

_ANY = '["string", "number", "boolean", "array", "object"]'

_HEAD = '''\
"""{pipeline} as an Airflow DAG, written by `{command}`.

Airflow decides when a step runs and tries it again. Mainspring runs it, on the code under CODE, finds what is known
already and records what comes of it. Workers need the `mainspring` command and the variables that say where its home
is (MAINSPRING_HOME, and MAINSPRING_DATABASE for PostgreSQL). When the pipeline changes, export it again.
"""

import json
import subprocess
from datetime import {datetime}timedelta
from typing import Any

from airflow.sdk import {imports}
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

PIPELINE = {quoted}
CODE = "{code}"
GAVE_UP = 10  # how `mainspring run step` ends when trying again is of no use


def mainspring(*words: str) -> Any:
    """Run a `mainspring` command, and read what it answers; its log becomes the task's."""
    done = subprocess.run(["mainspring", "--json", *words], stdout=subprocess.PIPE, check=False)
    if done.returncode == GAVE_UP:
        raise AirflowFailException(f"{{words[-1]}} failed, and trying again is of no use")
    done.check_returncode()
    return json.loads(done.stdout)


@task
def begin() -> str:
    """Begin the run that this DAG run stands for; cleared and begun again, what had ended is kept."""
    context = get_current_context()
    key = f"{{context['dag'].dag_id}}/{{context['run_id']}}"
    words = ["run", "begin", PIPELINE, "--code", CODE, "--scheduler", "airflow", "--key", key]
'''

_DATA = """\
    for name in {names}:
        words += ["--data", f"{{name}}={{context['params'][name]}}"]
"""

_PARAMS = """\
    for name in {names}:
        words += ["--param", f"{{name}}={{json.dumps(context['params'][name])}}"]
"""

_TASKS = """\
    return mainspring(*words)["id"]


"""

_ITEMS = '''\
@task(trigger_rule=TriggerRule.NONE_FAILED)
def items(run: str, name: str) -> list[str]:
    """What the items of a mapped step are called."""
    return mainspring("run", "items", f"{run}/{name}")


'''

_STEP = '''\
@task(trigger_rule=TriggerRule.NONE_FAILED)
def step(run: str, name: str) -> list[dict[str, str]]:
    """Run one step; gives its results by digest."""
    ended = mainspring("run", "step", f"{run}/{name}")
    if ended["state"] == "skipped":
        raise AirflowSkipException(ended["why"])
    return ended["outputs"]


@task(trigger_rule=TriggerRule.NONE_FAILED)
def finish(run: str) -> list[dict[str, str]]:
    """End the run; gives what the pipeline returns, by digest."""
    return mainspring("run", "finish", run)["outputs"]


'''


def write(plan: Plan) -> Written:
    """The DAG's module: one task a step, mapped ones by dynamic task mapping."""
    imports = ["Param", "TriggerRule", "dag", "get_current_context", "task"]
    if not plan.required:
        imports.remove("Param")
    if plan.schedule:
        imports.insert(0, "CronTriggerTimetable")
    lines = _HEAD.format(
        pipeline=plan.pipeline,
        quoted=literal(plan.pipeline),
        command=plan.command,
        code=plan.code,
        imports=", ".join(imports),
        datetime="datetime, " if plan.schedule else "",
    )
    if plan.data:
        lines += _DATA.format(names=tuple_of(list(plan.data)))
    names = [*plan.params, *plan.required]
    if names:
        lines += _PARAMS.format(names=tuple_of(names))
    lines += _TASKS
    if any(task.mapped for task in plan.tasks):
        lines += _ITEMS
    lines += _STEP + _dag(plan)
    if "timedelta(" not in lines:
        lines = lines.replace("from datetime import timedelta\n", "").replace(
            "import datetime, timedelta", "import datetime"
        )
    return Written(source=lines, left_out=tuple(_left_out(plan)))


def _dag(plan: Plan) -> str:
    lines = ["@dag(", f"    dag_id={literal(plan.variable)},"]
    if plan.schedule:
        cron, zone = literal(plan.schedule.cron), literal(plan.schedule.zone)
        lines += [
            f"    schedule=CronTriggerTimetable({cron}, timezone={zone}),",
            "    start_date=datetime(2026, 1, 1),",
        ]
    else:
        lines.append("    schedule=None,")
    lines.append("    catchup=False,")
    values = {**plan.data, **plan.params}
    params = [f"{literal(name)}: {literal(value)}" for name, value in values.items()]
    params += [f"{literal(name)}: Param(type={_ANY})" for name in plan.required]
    if params:
        lines += ["    params={", *(f"        {each}," for each in params), "    },"]
    lines += [
        ")",
        f"def {plan.variable}():",
        f'    """Run {plan.pipeline}."""',
        "    run = begin()",
    ]
    for task in plan.tasks:
        lines += [f"    {line}" for line in _task(task)]
    lines += ["    finished = finish(run)", ""]
    for task in plan.tasks:
        first = f"{task.variable}_items" if task.mapped else task.variable
        if task.upstream:
            before = _before([plan.task(name).variable for name in task.upstream])
            lines.append(f"    {before} >> {first}")
    lines.append(f"    {_before([task.variable for task in plan.last])} >> finished")
    return "\n".join([*lines, "", "", f"{plan.variable}()", ""])


def _task(task: Task) -> list[str]:
    options = [f"task_id={literal(task.name)}"]
    if task.retries:
        options += [f"retries={task.retries}", f"retry_delay={_delta(task.delay_seconds)}"]
        if task.backoff > 1:
            options.append(f"retry_exponential_backoff={task.backoff:g}")
            options.append(f"max_retry_delay={_delta(task.longest_delay_seconds)}")
    lines = []
    if task.when:
        lines.append(f"# Skipped unless {task.when}.")
    if task.limit_seconds is not None:
        told = f"# Mainspring stops it after {task.timeout_seconds:g} s; execution_timeout is for one that hangs."
        lines.append(told)
        options.append(f"execution_timeout={_delta(task.limit_seconds)}")
    if task.cpus > 1:
        options.append(f"pool_slots={task.cpus}")
    name = literal(task.name)
    if not task.mapped:
        return [*lines, *call(f"{task.variable} = step.override", options, f"(run, {name})")]
    items = f"{task.variable}_items"
    listed = f"{items} = items.override(task_id={literal(items)})(run, {name})"
    tail = f".partial(run=run).expand(name={items})"
    return [listed, *lines, *call(f"{task.variable} = step.override", options, tail)]


def _left_out(plan: Plan) -> list[str]:
    notes = []
    if any(task.cpus > 1 for task in plan.tasks):
        notes.append(
            "cpus: carried as pool_slots, for a pool with as many slots as there are CPUs; an executor on "
            "Kubernetes wants them in executor_config"
        )
    if plan.asks_for_more:
        notes.append("memory and gpus: choose workers that have them, by queue or executor_config")
    return notes


def _before(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _delta(seconds: float) -> str:
    return f"timedelta(seconds={seconds:g})"
