"""A pipeline as an Argo workflow."""

import json

from mainspring.cli.export.manifests import NEEDS, POD_SECURITY, Manifest, container, text, volumes
from mainspring.cli.export.plan import Plan, Task, Written

_GAVE_UP = 10
_RUN = "{{inputs.parameters.run}}"
_BEGUN = "{{tasks.begin.outputs.result}}"


def write(plan: Plan) -> Written:
    """A Workflow, or a CronWorkflow for a schedule: one template a step, mapped ones by withParam."""
    spec: Manifest = {
        "entrypoint": "main",
        "securityContext": POD_SECURITY,
        "volumes": volumes(),
    }
    if values := _values(plan):
        spec["arguments"] = {"parameters": values}
    spec["templates"] = _templates(plan)
    manifest: Manifest = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
    if plan.schedule is None:
        manifest |= {"metadata": {"generateName": f"{plan.slug}-"}, "spec": spec}
    else:
        manifest |= {
            "kind": "CronWorkflow",
            "metadata": {"name": plan.slug},
            "spec": {
                "schedules": [plan.schedule.cron],
                "timezone": plan.schedule.zone,
                "concurrencyPolicy": "Forbid",
                "workflowSpec": spec,
            },
        }
    return Written(source=text(manifest, _head(plan)), left_out=tuple(_left_out(plan)))


def _head(plan: Plan) -> str:
    kind = "Argo workflow" if plan.schedule is None else "Argo cron workflow"
    head = f"{plan.pipeline} as an {kind}, written by `{plan.command}`.\n\n"
    head += (
        "Argo decides where and when a step runs and tries it again. Mainspring runs it, on the code that was\n"
        "exported, finds what is known already and records what comes of it.\n"
    )
    for task in plan.tasks:
        if task.when:
            head += f"Mainspring skips {task.name} unless {task.when}.\n"
    return head + NEEDS


def _values(plan: Plan) -> list[Manifest]:
    found: list[Manifest] = [{"name": name} for name in plan.required]
    found += [{"name": name, "value": value} for name, value in plan.data.items()]
    return found + [{"name": n, "value": json.dumps(v)} for n, v in plan.params.items()]


def _templates(plan: Plan) -> list[Manifest]:
    words = ["run", "begin", plan.pipeline, "--code", plan.code, "--scheduler", "argo"]
    words += ["--key", "{{workflow.uid}}"]
    for name in plan.data:
        words += ["--data", f"{name}={{{{workflow.parameters.{name}}}}}"]
    for name in [*plan.required, *plan.params]:
        words += ["--param", f"{name}={{{{workflow.parameters.{name}}}}}"]
    templates: list[Manifest] = [
        {"name": "main", "dag": {"tasks": _tasks(plan)}},
        {"name": "begin", "container": container(plan, words)},
    ]
    if any(task.mapped for task in plan.tasks):
        words = ["run", "items", f"{_RUN}/{{{{inputs.parameters.name}}}}"]
        templates.append(
            {"name": "items", "inputs": _inputs("run", "name"), "container": container(plan, words)}
        )
    templates += [_template(plan, task) for task in plan.tasks]
    finish = container(plan, ["run", "finish", _RUN])
    return [*templates, {"name": "finish", "inputs": _inputs("run"), "container": finish}]


def _template(plan: Plan, task: Task) -> Manifest:
    inputs = ("run", "name") if task.mapped else ("run",)
    name = "{{inputs.parameters.name}}" if task.mapped else task.name
    template: Manifest = {"name": task.slug, "inputs": _inputs(*inputs)}
    if task.limit_seconds is not None:
        template["activeDeadlineSeconds"] = task.limit_seconds
    if task.retries:
        template["retryStrategy"] = {
            "limit": str(task.retries),
            "expression": f"asInt(lastRetry.exitCode) != {_GAVE_UP}",
            "backoff": {
                "duration": f"{task.delay_seconds:g}s",
                "factor": f"{task.backoff:g}",
                "cap": f"{task.longest_delay_seconds:g}s",
            },
        }
        if float(task.backoff) != int(task.backoff):
            # Argo's factor is a whole number.
            template["retryStrategy"]["backoff"]["factor"] = str(round(task.backoff))
    words = ["run", "step", f"{_RUN}/{name}"]
    return template | {
        "container": container(plan, words, cpus=task.cpus, memory=task.memory, gpus=task.gpus)
    }


def _tasks(plan: Plan) -> list[Manifest]:
    tasks: list[Manifest] = [{"name": "begin", "template": "begin"}]
    for task in plan.tasks:
        before = [plan.task(name).slug for name in task.upstream] or ["begin"]
        if not task.mapped:
            tasks.append(_call(task.slug, task.slug, before))
            continue
        items = f"{task.slug}-items"
        tasks.append(_call(items, "items", before, name=task.name))
        mapped = _call(task.slug, task.slug, [items], name="{{item}}")
        tasks.append(mapped | {"withParam": f"{{{{tasks.{items}.outputs.result}}}}"})
    tasks.append(_call("finish", "finish", [task.slug for task in plan.last]))
    return tasks


def _call(task: str, template: str, before: list[str], **arguments: str) -> Manifest:
    given = {"run": _BEGUN} | arguments
    return {
        "name": task,
        "template": template,
        "depends": " && ".join(before),
        "arguments": {"parameters": [{"name": n, "value": v} for n, v in given.items()]},
    }


def _inputs(*names: str) -> Manifest:
    return {"parameters": [{"name": name} for name in names]}


def _left_out(plan: Plan) -> list[str]:
    notes = []
    if any(task.when for task in plan.tasks):
        notes.append(
            "branches: a result that decides lies in Mainspring, so a pod is started for a skipped step too, "
            "which ends at once"
        )
    if any(float(task.backoff) != int(task.backoff) for task in plan.tasks if task.retries):
        notes.append("retry_backoff: Argo's factor is a whole number, so it is rounded")
    return notes
