"""A pipeline as a pipeline of GitLab CI."""

import json

from mainspring.cli.export.inputs import begin_words, given, variable
from mainspring.cli.export.plan import Plan, Task, Written

_HEAD = """\
# {pipeline} as a pipeline of GitLab CI, written by `{command}`.
#
# GitLab decides where a step runs. Mainspring runs it, on the code under --code, tries it again, finds what is known
# already and records what comes of it. Runners need the home with data and results: mount it, and say where it is
# (MAINSPRING_HOME, and MAINSPRING_DATABASE for PostgreSQL) in the project's variables. A new pipeline begins a new
# run, which finds in the cache what had ended. When the pipeline changes, export it again.
stages: [begin, steps, finish]

workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule" || $CI_PIPELINE_SOURCE == "web" || $CI_PIPELINE_SOURCE == "api"

default:
  image: {image}
  # For a runner that is lost; what fails in a step is tried again by Mainspring.
  retry:
    max: 2
    when: [runner_system_failure, stuck_or_timeout_failure]
{variables}
begin:
  stage: begin
  script:
    - |
      run=$({words})
      echo "MAINSPRING_RUN=$run" > run.env
  artifacts:
    reports:
      dotenv: run.env
"""

_STEP = """
{slug}:
  stage: steps
{comment}  needs: [{needs}]
{timeout}  script:
    - mainspring run step "$MAINSPRING_RUN/{name}" --retry-here
"""

_FINISH = """
finish:
  stage: finish
  needs: [{needs}]
  script:
    - mainspring run finish "$MAINSPRING_RUN"
"""


def write(plan: Plan) -> Written:
    """The pipeline: one job a step; a mapped step's items are run side by side in its job."""
    source = _HEAD.format(
        pipeline=plan.pipeline,
        command=plan.command,
        image=plan.image,
        variables=_variables(plan),
        words=begin_words(plan, scheduler="gitlab", key="$CI_PIPELINE_ID", indent=8),
    )
    source += "".join(_job(plan, task) for task in plan.tasks)
    source += _FINISH.format(needs=", ".join(["begin", *(task.slug for task in plan.last)]))
    return Written(source=source, left_out=tuple(_left_out(plan)))


def _variables(plan: Plan) -> str:
    lines = ["", "variables:"] if given(plan) else []
    for name, default in given(plan).items():
        kind = "Dataset, or dataset@number" if name in plan.data else "Value as JSON, or text"
        lines += [
            f"  {variable(plan, name)}:",
            f"    description: {kind}",
            f"    value: {json.dumps(default, ensure_ascii=False)}",
        ]
        if "$" in default:
            lines.append("    expand: false")
    return "".join(f"{line}\n" for line in lines)


def _job(plan: Plan, task: Task) -> str:
    before = ["begin", *(plan.task(name).slug for name in task.upstream)]
    timeout = ""
    if task.limit_seconds is not None:
        seconds = task.limit_seconds * (task.retries + 1)
        seconds += int(task.longest_delay_seconds) * task.retries if task.backoff > 1 else 0
        timeout = f"  timeout: {seconds // 60 + 1} minutes\n"
    comment = f"  # Skipped by Mainspring unless {task.when}.\n" if task.when else ""
    return _STEP.format(
        slug=task.slug,
        comment=comment,
        needs=", ".join(before),
        timeout=timeout,
        name=task.name,
    )


def _left_out(plan: Plan) -> list[str]:
    notes = []
    if plan.schedule:
        notes.append(
            f"the schedule {plan.schedule}: GitLab keeps schedules in its settings; add it there"
        )
    if any(task.mapped for task in plan.tasks):
        notes.append(
            "a job for each item of a mapped step: they are run side by side in its one job"
        )
    if any(task.cpus > 1 for task in plan.tasks):
        notes.append("cpus: choose a runner that has them, by tags")
    if plan.asks_for_more:
        notes.append("memory and gpus: choose a runner that has them")
    if any(task.when for task in plan.tasks):
        notes.append("branches: a job is started for a skipped step too, which ends at once")
    return notes
