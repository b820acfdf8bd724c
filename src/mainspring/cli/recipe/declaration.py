"""The text of `mainspring.toml` for a recipe: its limits are gates, its register step is the service."""

import json

from mainspring.cli.recipe.flow import measured
from mainspring.cli.recipe.read import Recipe


def declaration_text(recipe: Recipe, *, has_schema: bool) -> str:
    """The declaration of the service that a recipe becomes."""
    name, dataset = recipe.name, recipe.dataset
    lines = [
        f"# What the recipe {recipe.title} promised, as a service. `mainspring apply` puts it in force.",
        f"[service.{name}]",
        f'pipeline = "flow:{name}"',
        f"model = {_text(recipe.model)}",
        f'data = {{ {dataset} = "{dataset}" }}',
    ]
    if has_schema:
        lines.append(f'expect = {{ {dataset} = "{dataset}.schema.toml" }}')
    if not recipe.criteria:
        lines += [
            "",
            "# The recipe had no validation_criteria; no model may be worse than the champion.",
            f"[[service.{name}.gate]]",
            f"metric = {_text('accuracy' if recipe.is_classification else 'rmse')}",
            "versus_champion = { max_regression = 0.0, confidence = 0.95 }",
        ]
    for each in recipe.criteria:
        limit = "min" if each.higher_is_better else "max"
        lines += [
            "",
            f"[[service.{name}.gate]]",
            f"metric = {_text(measured(recipe, each.metric))}",
            f"{limit} = {each.threshold!r}",
        ]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    # A basic string of TOML has JSON's escapes.
    return json.dumps(value, ensure_ascii=False)
