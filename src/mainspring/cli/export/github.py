"""A pipeline as a workflow of GitHub Actions."""

import json

from mainspring.cli.export.inputs import begin_words, given, variable
from mainspring.cli.export.plan import Plan, Task, Written
from mainspring.kernel.errors import Invalid

_HEAD = """\
# {pipeline} as a workflow of GitHub Actions, written by `{command}`.
#
# GitHub decides where a step runs. Mainspring runs it, on the code under --code, tries it again, finds what is known
# already and records what comes of it. Runners need the `mainspring` command and the variables that say where its
# home is (MAINSPRING_HOME, and MAINSPRING_DATABASE for PostgreSQL). "Re-run all jobs" goes on with a run that
# failed. When the pipeline changes, export it again.
name: {name}

on:
{schedule}  workflow_dispatch:
{inputs}
permissions: {{}}

concurrency:
  group: {slug}
  cancel-in-progress: false

defaults:
  run:
    shell: bash

jobs:
  begin:
    name: Begin
    runs-on: self-hosted
    timeout-minutes: 10
    outputs:
      run: ${{{{ steps.begin.outputs.run }}}}
    steps:
      - id: begin
{env}        run: |
          run=$({words})
          echo "run=$run" >> "$GITHUB_OUTPUT"
"""

_STEP = """
  {slug}:
    name: {label}
    needs: [{needs}]
    if: ${{{{ {condition} }}}}
    runs-on: self-hosted
{timeout}{matrix}    steps:
      - env:
          STEP: ${{{{ needs.begin.outputs.run }}}}/{part}
        run: mainspring run step "$STEP" --retry-here
"""

_ITEMS = """
  {slug}-items:
    name: Items of {name}
    needs: [{needs}]
    if: ${{{{ !failure() && !cancelled() }}}}
    runs-on: self-hosted
    timeout-minutes: 10
    outputs:
      items: ${{{{ steps.items.outputs.items }}}}
    steps:
      - id: items
        env:
          STEP: ${{{{ needs.begin.outputs.run }}}}/{name}
        run: |
          items=$(mainspring run items "$STEP")
          echo "items=$items" >> "$GITHUB_OUTPUT"
"""

_FINISH = """
  finish:
    name: Finish
    needs: [{needs}]
    if: ${{{{ !failure() && !cancelled() }}}}
    runs-on: self-hosted
    timeout-minutes: 10
    steps:
      - env:
          RUN: ${{{{ needs.begin.outputs.run }}}}
        run: mainspring run finish "$RUN"
"""

_ZONE = "UTC"
_LIMIT_MINUTES = 360


def write(plan: Plan) -> Written:
    """The workflow: one job a step, mapped ones by a matrix."""
    if plan.schedule and plan.schedule.zone not in (_ZONE, "Etc/UTC"):
        raise Invalid(
            f"GitHub's schedules are in UTC, and {str(plan.schedule)!r} is in {plan.schedule.zone}",
            code="bad_schedule",
            hint="Give it in UTC, or let Mainspring or Airflow keep it.",
        )
    schedule = (
        f"  schedule:\n    - cron: {json.dumps(plan.schedule.cron)}\n" if plan.schedule else ""
    )
    source = _HEAD.format(
        pipeline=plan.pipeline,
        command=plan.command,
        name=_quoted(plan.name),
        slug=plan.slug,
        schedule=schedule,
        inputs=_inputs(plan),
        env=_env(plan),
        words=begin_words(plan, scheduler="github", key="$GITHUB_RUN_ID", indent=12),
    )
    source += "".join(_job(plan, task) for task in plan.tasks)
    last = ", ".join(["begin", *(task.slug for task in plan.last)])
    source += _FINISH.format(needs=last)
    return Written(source=source, left_out=tuple(_left_out(plan)))


def _inputs(plan: Plan) -> str:
    inputs = given(plan)
    lines = ["    inputs:"] if inputs else []
    for name, default in inputs.items():
        kind = "Dataset, or dataset@number" if name in plan.data else "Value as JSON, or text"
        lines += [f"      {name}:", f"        description: {kind}"]
        lines += ["        required: true"] if name in plan.required else []
        lines += [f"        default: {_quoted(default)}"] if name not in plan.required else []
        lines += ["        type: string"]
    return "".join(f"{line}\n" for line in lines)


def _env(plan: Plan) -> str:
    # Inputs reach the shell as variables: written into the command they could be more than values.
    lines = ["        env:"] if given(plan) else []
    for name, default in given(plan).items():
        otherwise = "" if name in plan.required else " || '{}'".format(default.replace("'", "''"))
        # Quoted, because a value may hold what YAML reads otherwise: `: ` and ` #`.
        value = _quoted(f"${{{{ inputs.{name}{otherwise} }}}}")
        lines.append(f"          {variable(plan, name)}: {value}")
    return "".join(f"{line}\n" for line in lines)


def _job(plan: Plan, task: Task) -> str:
    before = ["begin", *(plan.task(name).slug for name in task.upstream)]
    label, part, matrix, items = task.name, task.name, "", ""
    condition = "!failure() && !cancelled()"
    if task.mapped:
        items = _ITEMS.format(slug=task.slug, name=task.name, needs=", ".join(before))
        before = ["begin", f"{task.slug}-items"]
        found = f"needs.{task.slug}-items.outputs.items"
        condition += f" && {found} != '[]'"
        label = part = "${{ matrix.item }}"
        matrix = f"    strategy:\n      matrix:\n        item: ${{{{ fromJSON({found}) }}}}\n"
    minutes = _minutes(task)
    comment = f"    # Skipped by Mainspring unless {task.when}.\n" if task.when else ""
    return items + _STEP.format(
        slug=task.slug,
        label=label,
        needs=", ".join(before),
        condition=condition,
        timeout=f"{comment}    timeout-minutes: {minutes}\n",
        matrix=matrix,
        part=part,
    )


def _minutes(task: Task) -> int:
    """How long the job may take, with all tries: they are made in it."""
    if task.limit_seconds is None:
        return _LIMIT_MINUTES
    pauses = sum(
        min(task.delay_seconds * task.backoff**number, task.longest_delay_seconds)
        for number in range(task.retries)
    )
    return int((task.limit_seconds * (task.retries + 1) + pauses) / 60) + 1


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _left_out(plan: Plan) -> list[str]:
    notes = []
    if any(task.retries for task in plan.tasks):
        notes.append("retries: GitHub tries no job again, so Mainspring does, within the job")
    if any(task.cpus > 1 for task in plan.tasks):
        notes.append("cpus: a job takes a whole runner; give it a runner that has them")
    if any(task.mapped for task in plan.tasks):
        notes.append("mapped steps: a matrix holds at most 256 items")
    if plan.asks_for_more:
        notes.append("memory and gpus: choose a runner that has them")
    if any(task.when for task in plan.tasks):
        notes.append("branches: a job is started for a skipped step too, which ends at once")
    if any(task.timeout_seconds is None for task in plan.tasks):
        notes.append(f"steps without a timeout: a job ends after {_LIMIT_MINUTES} minutes")
    return notes
