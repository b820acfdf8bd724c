"""What the workflows of GitHub and GitLab are given, and the command that begins a run with it."""

import json

from mainspring.cli.export.plan import Plan


def given(plan: Plan) -> dict[str, str]:
    """The inputs of a workflow by name, with their defaults as text; both pass all of them as text."""
    params = {name: json.dumps(value) for name, value in plan.params.items()}
    return dict.fromkeys(plan.required, "") | plan.data | params


def variable(plan: Plan, name: str) -> str:
    """The variable of the environment that holds an input."""
    return f"{'DATA' if name in plan.data else 'PARAM'}_{name.upper()}"


def begin_words(plan: Plan, *, scheduler: str, key: str, indent: int) -> str:
    """The command that begins a run, a line for each of its parts; `key` is what names the scheduler's own run."""
    lines = [
        f"mainspring run begin {plan.pipeline}",
        f"--code {plan.code}",
        f'--scheduler {scheduler} --key "{key}"',
    ]
    for name in given(plan):
        option = "--data" if name in plan.data else "--param"
        lines.append(f'{option} "{name}=${variable(plan, name)}"')
    return (" \\\n" + " " * indent).join(lines)
