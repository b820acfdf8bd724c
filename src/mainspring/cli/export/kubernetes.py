"""A pipeline as a Kubernetes Job or CronJob."""

import json

from mainspring.cli.export.manifests import NEEDS, POD_SECURITY, Manifest, container, text, volumes
from mainspring.cli.export.plan import Plan, Written
from mainspring.kernel.errors import Invalid

_RUN_FAILED = 1
_LOST_PODS = 6


def write(plan: Plan) -> Written:
    """A Job that carries out the whole run; a CronJob for a schedule."""
    if plan.required:
        raise Invalid(
            f"a Job gives no value to the parameter {plan.required[0]!r}",
            code="missing_param",
            hint=f"Say it here: --param {plan.required[0]}=VALUE.",
        )
    job: Manifest = {
        "backoffLimit": _LOST_PODS,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {"operator": "In", "values": [_RUN_FAILED]},
                },
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
            ]
        },
        "template": {"spec": _pod(plan)},
    }
    manifest: Manifest = {"apiVersion": "batch/v1"}
    if plan.schedule is None:
        manifest |= {"kind": "Job", "metadata": {"generateName": f"{plan.slug}-"}, "spec": job}
    else:
        manifest |= {
            "kind": "CronJob",
            "metadata": {"name": plan.slug},
            "spec": {
                "schedule": plan.schedule.cron,
                "timeZone": plan.schedule.zone,
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": job},
            },
        }
    return Written(source=text(manifest, _head(plan)), left_out=tuple(_left_out(plan)))


def _pod(plan: Plan) -> Manifest:
    words = ["run", plan.pipeline, "--code", plan.code, "--key", "$(JOB)"]
    for name, value in plan.data.items():
        words += ["--data", _as_it_is(f"{name}={value}")]
    for name, each in plan.params.items():
        words += ["--param", _as_it_is(f"{name}={json.dumps(each)}")]
    largest = max(plan.tasks, key=lambda task: task.memory_bytes)
    main = container(
        plan,
        words,
        cpus=max(task.cpus for task in plan.tasks),
        memory=largest.memory,
        gpus=max(task.gpus for task in plan.tasks),
    )
    # The run goes by the Job: a pod that takes the place of a lost one goes on with the same run.
    label = "metadata.labels['batch.kubernetes.io/controller-uid']"
    main["env"].insert(0, {"name": "JOB", "valueFrom": {"fieldRef": {"fieldPath": label}}})
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "containers": [{"name": "mainspring"} | main],
        "volumes": volumes(),
    }


def _as_it_is(value: str) -> str:
    """Kubernetes puts variables of the container, secret ones too, in place of `$(NAME)` unless told not to."""
    return value.replace("$(", "$$(")


def _head(plan: Plan) -> str:
    kind, verb = ("Job", "create -f") if plan.schedule is None else ("CronJob", "apply -f")
    return (
        f"{plan.pipeline} as a Kubernetes {kind}, written by `{plan.command}`.\n"
        f"Start it by `kubectl {verb} THIS_FILE`.\n\n"
        "Its pod carries out the whole run, step by step, on the code that was exported: retries, timeouts,\n"
        "branches and mapped steps are Mainspring's. A pod that is lost is replaced by one that goes on with the\n"
        "same run; a run that failed is not tried again.\n" + NEEDS
    )


def _left_out(plan: Plan) -> list[str]:
    if len(plan.tasks) == 1:
        return []
    return [
        "a pod for each step: Kubernetes by itself knows no order of Jobs, so one pod carries out the whole run; "
        "`mainspring export argo` gives each step a pod"
    ]
