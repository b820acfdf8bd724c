"""`mainspring import recipe`: reads a project of MLflow Recipes and writes one of ours beside it."""

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.kernel.errors import Conflict, Invalid, MainspringError

if TYPE_CHECKING:
    from mainspring.cli.recipe.read import Recipe


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--profile", default="local", show_default=True, help="A file of profiles/.")
@pass_session
def recipe(session: Session, /, *, folder: Path, profile: str) -> None:
    """Turn the MLflow recipe in FOLDER into a pipeline with the same steps.

    Writes flow.py, mainspring.toml and, where the data is a table at hand, its schema beside recipe.yaml; files that
    are there are never replaced. Your functions in steps/ stay as they are and are called. What can't be carried is
    listed.
    """
    from mainspring.cli.recipe.declaration import declaration_text
    from mainspring.cli.recipe.flow import flow_text
    from mainspring.cli.recipe.read import read_recipe

    found = read_recipe(folder, profile)
    _check_functions(found, folder)
    left_out = list(found.left_out)
    schema = _schema(found, folder, left_out)
    files = {
        "flow.py": flow_text(found),
        "mainspring.toml": declaration_text(found, has_schema=schema is not None),
    }
    if schema is not None:
        files[f"{found.dataset}.schema.toml"] = schema
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        raise Conflict(
            f"{folder} already has {', '.join(taken)}",
            code="file_exists",
            hint="Move them away; nothing was written.",
        )
    for name, text in files.items():
        (folder / name).write_text(text)
    session.show(
        {"files": sorted(files), "left_out": left_out},
        [
            *(f"wrote {folder / name}" for name in files),
            *(f"left out: {line}" for line in left_out),
            "Read them, then (with pandas installed, which steps/ takes its tables from):",
            f"  cd {folder}",
            f"  mainspring data add {found.dataset} {found.location or 'FILE'}",
            f"  mainspring run flow:{found.name}",
        ],
    )


def _schema(found: "Recipe", folder: Path, left_out: list[str]) -> str | None:
    """The schema of data that is a table here; a loader of one's own reads what Mainspring need not understand."""
    import tempfile

    if found.loader or found.location is None:
        return None
    source = folder / found.location
    if not source.exists():
        left_out.append(
            f"ingest: there is no {found.location} here, so no schema was inferred; "
            "`mainspring schema infer` does it later"
        )
        return None
    from mainspring.blobs.local import LocalBlobs
    from mainspring.datasets.ingest import ingest
    from mainspring.datasets.tables import scan
    from mainspring.quality.infer import infer_toml

    with tempfile.TemporaryDirectory(prefix="mainspring-") as scratch:
        blobs = LocalBlobs(Path(scratch))
        try:
            taken = ingest(blobs, source)
        except MainspringError as error:
            left_out.append(f"ingest: {found.location} can't be read as a table: {error.message}")
            return None
        if not taken.is_table:
            left_out.append(f"ingest: {found.location} is no table, so it has no schema")
            return None
        return infer_toml(found.dataset, scan(blobs, taken.manifest))


def _check_functions(found: "Recipe", folder: Path) -> None:
    """Raise `Invalid` for a function that the recipe names and `steps/` lacks; nothing of it is run."""
    wanted: dict[str, list[str | None]] = {
        "ingest": [found.loader],
        "split": [found.split_function, found.post_split, found.post_split_filter],
        "transform": [found.transformer],
        "train": [found.estimator],
        "custom_metrics": [*(each.function for each in found.custom_metrics)],
    }
    for module, names in wanted.items():
        needed = {name for name in names if name}
        if not needed:
            continue
        path = folder / "steps" / f"{module}.py"
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError) as error:
            raise Invalid(f"{path} can't be read: {error}", where=str(path)) from error
        lacking = needed - {name for node in tree.body for name in _names(node)}
        if lacking:
            raise Invalid(
                f"the recipe names {', '.join(sorted(lacking))}, which {path} lacks",
                where=str(path),
                hint="Write it, or correct recipe.yaml and its profile.",
            )


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
            return [alias.asname or alias.name for alias in aliases]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case _:
            return []
