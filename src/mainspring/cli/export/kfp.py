"""A pipeline as a Kubeflow pipeline."""

from mainspring.cli.export.plan import Plan, Task, Written
from mainspring.cli.export.python_text import call, literal

_HEAD = '''\
"""{pipeline} as a Kubeflow pipeline, written by `{command}`.

Kubeflow decides where and when a step runs. Mainspring runs it, on the code under CODE, finds what is known already
and records what comes of it: Kubeflow's own caching is off. IMAGE needs the `mainspring` command and the variables
that say where its home is (MAINSPRING_HOME, and MAINSPRING_DATABASE for PostgreSQL). Compile it with
`kfp dsl compile --py THIS_FILE --output {variable}.yaml`. When the pipeline changes, export it again.
"""

from kfp import dsl

IMAGE = {image}
PIPELINE = {quoted}
CODE = "{code}"


@dsl.component(base_image=IMAGE)
def begin(
    pipeline: str,
    code: str,
    key: str,
{parameters}) -> str:
    """Begin the run that this pipeline run stands for."""
    import json
    import subprocess

    words = ["mainspring", "--json", "run", "begin", pipeline, "--code", code]
    words += ["--scheduler", "kfp", "--key", key]
{passed}    return json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)["id"]


'''

_ITEMS = '''\
@dsl.component(base_image=IMAGE)
def items(run: str, name: str) -> list:
    """The items of a mapped step, each with the run that it is of."""
    import json
    import subprocess

    words = ["mainspring", "--json", "run", "items", f"{run}/{name}"]
    found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return [f"{run}/{item}" for item in found]


'''

_STEP = '''\
@dsl.component(base_image=IMAGE)
def step(name: str, run: str = "") -> list:
    """Run one step, or one item of a mapped one; gives its results by digest, none if it is skipped."""
    import json
    import subprocess

    words = ["mainspring", "--json", "run", "step", f"{run}/{name}" if run else name]
    ended = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return [output["digest"] for output in ended["outputs"]]


@dsl.component(base_image=IMAGE)
def finish(run: str) -> list:
    """End the run; gives what the pipeline returns, by digest."""
    import json
    import subprocess

    words = ["mainspring", "--json", "run", "finish", run]
    ended = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return [output["digest"] for output in ended["outputs"]]


'''

_TYPES: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "list",
    dict: "dict",
}


def write(plan: Plan) -> Written:
    """The pipeline's module: one component a step, mapped ones in a ParallelFor."""
    head = _HEAD.format(
        pipeline=plan.pipeline,
        command=plan.command,
        variable=plan.variable,
        image=literal(plan.image),
        quoted=literal(plan.pipeline),
        code=plan.code,
        parameters="".join(f"    {line},\n" for line in _parameters(plan, with_defaults=False)),
        passed="".join(f"    {line}\n" for line in _passed(plan)),
    )
    mapped = _ITEMS if any(task.mapped for task in plan.tasks) else ""
    return Written(source=head + mapped + _STEP + _pipeline(plan), left_out=tuple(_left_out(plan)))


def _parameters(plan: Plan, *, with_defaults: bool) -> list[str]:
    found = [f"{name}: str" for name in plan.required]
    for name, value in {**plan.data, **plan.params}.items():
        default = f" = {literal(_default(value))}" if with_defaults else ""
        found.append(f"{name}: {_TYPES.get(type(value), 'str')}{default}")
    return found


def _default(value: object) -> object:
    # Kubeflow knows no parameter without a type: of None it gets the text, which means the same to us.
    return "null" if value is None else value


def _passed(plan: Plan) -> list[str]:
    lines = [f'words += ["--data", f"{name}={{{name}}}"]' for name in plan.data]
    for name in [*plan.required, *plan.params]:
        value = plan.params.get(name)
        is_text = name in plan.required or value is None
        told = f"{{{name}}}" if is_text else f"{{json.dumps({name})}}"
        lines.append(f'words += ["--param", f"{name}={told}"]')
    return lines


def _pipeline(plan: Plan) -> str:
    parameters = [f"    {line}," for line in _parameters(plan, with_defaults=True)]
    given = [f"{name}={name}" for name in [*plan.required, *plan.data, *plan.params]]
    begun = ["pipeline=PIPELINE", "code=CODE", "key=dsl.PIPELINE_JOB_ID_PLACEHOLDER", *given]
    lines = [f"@dsl.pipeline(name={literal(plan.slug)})"]
    lines += [f"def {plan.variable}(", *parameters, ") -> None:"]
    if not parameters:
        lines[1:] = [f"def {plan.variable}() -> None:"]
    lines.append(f'    """Run {plan.pipeline}."""')
    for line in call("run = begin", begun):
        lines.append(f"    {line}")
    lines.append("    run.set_caching_options(False)")
    for task in plan.tasks:
        lines += ["", *(f"    {line}" for line in _task(plan, task))]
    lines += ["", "    finished = finish(run=run.output).set_caching_options(False)"]
    lines.append(f"    finished.after({', '.join(task.variable for task in plan.last)})")
    return "\n".join([*lines, ""])


def _task(plan: Plan, task: Task) -> list[str]:
    lines = [f"# Skipped by Mainspring unless {task.when}."] if task.when else []
    upstream = ", ".join(plan.task(name).variable for name in task.upstream)
    name = literal(task.name)
    if not task.mapped:
        lines.append(f"{task.variable} = step(name={name}, run=run.output)")
        lines += _options(task)
        return [*lines, f"{task.variable}.after({upstream})"] if upstream else lines
    items = f"{task.variable}_items"
    lines.append(f"{items} = items(run=run.output, name={name}).set_caching_options(False)")
    if upstream:
        lines.append(f"{items}.after({upstream})")
    return [
        *lines,
        f"with dsl.ParallelFor({items}.output) as item:",
        f"    {task.variable} = step(name=item)",
        *(f"    {line}" for line in _options(task)),
    ]


def _options(task: Task) -> list[str]:
    lines = [f"{task.variable}.set_display_name({literal(task.name)}).set_caching_options(False)"]
    if task.retries:
        delay, longest = int(task.delay_seconds), int(task.longest_delay_seconds)
        told = f'{task.retries}, "{delay}s", {task.backoff:g}, "{longest}s"'
        lines.append(f"{task.variable}.set_retry({told})")
    if task.cpus > 1:
        lines.append(f'{task.variable}.set_cpu_request("{task.cpus}").set_cpu_limit("{task.cpus}")')
    if task.memory:
        told = f'"{task.memory}"'
        lines.append(f"{task.variable}.set_memory_request({told}).set_memory_limit({told})")
    if task.gpus:
        kind = 'set_accelerator_type("nvidia.com/gpu")'
        lines.append(f"{task.variable}.{kind}.set_accelerator_limit({task.gpus})")
    return lines


def _left_out(plan: Plan) -> list[str]:
    notes = []
    if plan.schedule:
        notes.append(
            f"the schedule {plan.schedule}: Kubeflow keeps schedules apart from pipelines; make a recurring run"
        )
    if any(task.timeout_seconds for task in plan.tasks):
        notes.append("timeouts: Kubeflow has none for a step; Mainspring stops the step in its pod")
    if any(task.when for task in plan.tasks):
        notes.append(
            "branches: nothing after dsl.If could wait for what is in it, so a pod is started for a skipped step "
            "too, which ends at once"
        )
    if any(task.retry_on for task in plan.tasks):
        notes.append(
            "retry_on: Kubeflow tries again after any error; after others than those the run is over, and the "
            "tries end at once"
        )
    return notes
