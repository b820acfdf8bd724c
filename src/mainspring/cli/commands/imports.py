"""`mainspring import`: taking over what other tools hold."""

from pathlib import Path

import click

from mainspring.cli.commands.import_dvc import dvc
from mainspring.cli.commands.take_over import take_over
from mainspring.cli.global_options import pass_session
from mainspring.cli.recipe.command import recipe
from mainspring.cli.session import Session


@click.group(name="import")
def import_() -> None:
    """Take over what other tools hold. What can't be carried over is listed, never dropped in silence."""


for _command in take_over.commands.values():
    import_.add_command(_command)
import_.add_command(recipe)
import_.add_command(dvc)


@import_.command(name="great-expectations")
@click.argument("suite", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("dataset")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; must be new.")
@pass_session
def great_expectations(session: Session, /, suite: Path, dataset: str, output: Path | None) -> None:
    """Turn the JSON of an expectation SUITE into a schema of DATASET."""
    import json

    from mainspring.domain.schema import TableSchema
    from mainspring.kernel.errors import Invalid
    from mainspring.quality.great_expectations import from_suite
    from mainspring.quality.schema_text import schema_text

    try:
        document = json.loads(suite.read_text())
    except (ValueError, UnicodeDecodeError) as error:
        raise Invalid(f"{suite} is not JSON: {error}", code="malformed_json") from error
    carried = from_suite(document)
    schema = TableSchema(
        dataset=dataset,
        columns=(),
        min_row_count=0,
        allow_extra_columns=True,
        expectations=carried.expectations,
    )
    text = schema_text(schema)
    _written(session, text, output, f"{len(carried.expectations)} expectations", carried.left_out)


@import_.command(name="tfdv")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("dataset")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; must be new.")
@pass_session
def tfdv(session: Session, /, file: Path, dataset: str, output: Path | None) -> None:
    """Turn TFDV's schema or statistics in FILE into a schema of DATASET.

    A schema is in text format (schema.pbtxt); statistics are text, binary, or a TFRecord file. From statistics a schema
    is inferred as `mainspring schema infer` does from data, as far as they tell.
    """
    from mainspring.quality.infer import describe, schema_of_profile
    from mainspring.quality.schema_text import schema_text
    from mainspring.quality.tfdv import from_pbtxt
    from mainspring.quality.tfdv_statistics import are_statistics, from_statistics

    data = file.read_bytes()
    if are_statistics(data):
        found = from_statistics(data)
        evidence = {column.name: describe(column) for column in found.profile.columns}
        text = schema_text(schema_of_profile(dataset, found.profile), evidence=evidence)
        columns = f"{len(found.profile.columns)} columns"
        _written(session, text, output, columns, found.left_out)
        return
    carried = from_pbtxt(data.decode(errors="replace"), dataset)
    columns = f"{len(carried.schema.columns)} columns"
    _written(session, schema_text(carried.schema), output, columns, carried.left_out)


def _written(
    session: Session, text: str, output: Path | None, what: str, left_out: tuple[str, ...]
) -> None:
    from mainspring.kernel.errors import Conflict

    if output is None:
        # The text alone, so that it can be redirected; what is lacking goes beside it.
        session.show({"toml": text, "left_out": left_out}, text.splitlines())
        for line in left_out:
            click.echo(f"left out: {line}", err=True)
        return
    if output.exists():
        raise Conflict(f"{output} exists already", code="file_exists", hint="Name a new file.")
    output.write_text(text)
    lines = [f"{output}: {what}; read it, then accept it with `mainspring apply`"]
    session.show(
        {"output": str(output), "left_out": left_out},
        [*lines, *(f"left out: {line}" for line in left_out)],
    )
