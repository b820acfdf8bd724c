"""`mainspring schema skew`: what is served, held against what was learnt from."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import Profile

_BATCH_ROWS = 50_000


@click.command()
@click.argument("dataset")
@click.option("--number", type=int, help="The version trained on.  [default: the newest accepted]")
@click.option(
    "--statistics",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take TFDV's statistics in this file for the training data.",
)
@click.option("--service", help="Compare with what this service was asked, by its prediction log.")
@click.option(
    "--since", default="7d", show_default=True, help="How far back to read the prediction log."
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare with a table of what was served.",
)
@click.option(
    "--measure",
    type=click.Choice(["psi", "jensen_shannon", "l_infinity", "ks"]),
    help="Hold all columns to this measure.  [default: what the schema asks, else psi]",
)
@click.option("--threshold", type=float, help="The most it may be.  [default: 0.2]")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "junit", "html"]),
    default="text",
    show_default=True,
    help="What to write the report as.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write it.  [default: here]"
)
@pass_session
def skew(
    session: Session,
    /,
    *,
    dataset: str,
    number: int | None,
    statistics: Path | None,
    service: str | None,
    since: str,
    sample: Path | None,
    measure: str | None,
    threshold: float | None,
    format_: str,
    output: Path | None,
) -> None:
    """Compare what is served with a version of DATASET; exit code 6 if a column is too far off.

    Missing values are compared, too. A column that the schema asks for in training only is left out.
    """
    from mainspring.datasets.requests import GetDatasetVersion
    from mainspring.kernel.durations import parse_duration
    from mainspring.kernel.errors import Invalid, Rejected
    from mainspring.quality.judgement import profile_of, schema_in_force
    from mainspring.quality.report_files import ReportFormat, report_file
    from mainspring.quality.skew import skew_report
    from mainspring.quality.tfdv_statistics import from_statistics

    if (service is None) is (sample is None):
        raise Invalid("skew needs one thing to compare with", hint="Give --service or --sample.")
    with session.client() as client:
        schema = schema_in_force(client.call, dataset)
        if statistics is not None:
            training, what = from_statistics(statistics.read_bytes()).profile, str(statistics)
        else:
            version = client.call(GetDatasetVersion(dataset=dataset, number=number))
            what = f"{dataset} v{version.number}"
            profile = profile_of(client.blobs, version)
            if profile is None:
                raise Invalid(f"{what} is no table", code="not_a_table")
            training = profile
    if sample is not None:
        served, columns = _of_table(sample)
    else:
        after = datetime.now(UTC) - parse_duration(since)
        served, columns = _of_log(session, str(service), after, training)
    report = skew_report(
        dataset,
        schema,
        training,
        served,
        columns,
        measure=measure,  # type: ignore[arg-type] # one of the choices above
        threshold=threshold,
    )
    title = f"{service or sample}, {served.row_count:,} rows, against {what}"
    text = report_file(
        report, ReportFormat(format_), title=title, profile=served, reference=training
    )
    if output is not None:
        output.write_text(text)
    session.show(report, text.splitlines() if output is None else [f"{output} is written"])
    if not report.passed:
        raise Rejected(
            f"{len({r.column for r in report.blocking})} columns are served unlike they were trained on",
            code="skewed",
            hint="Compare how both are made; or retrain on newer data.",
        )


def _of_table(path: Path) -> "tuple[Profile, pl.Schema]":
    from mainspring.quality.measure import profile_table
    from mainspring.quality.sources import open_table

    table = open_table(path)
    return profile_table(table), table.collect_schema()


def _of_log(
    session: Session, service: str, after: datetime, training: "Profile"
) -> "tuple[Profile, pl.Schema]":
    """The profile of what a service was asked since a time: batch by batch, in bounded memory."""
    import polars as pl

    from mainspring.kernel.errors import Invalid, NotFound
    from mainspring.quality.measure import profile_table

    if session.settings.url:
        raise Invalid(
            "the prediction log is read where it lies, which is not here",
            code="no_log_here",
            hint="Run this beside the server, or give --sample.",
        )
    served = None
    schema = pl.Schema()
    for rows in _asked(session.settings.predictions_path, service, after):
        if served is None:
            schema = _schema(rows, training)
        frame = pl.DataFrame(
            [{name: row.get(name) for name in schema} for row in rows], schema=schema, strict=False
        )
        found = profile_table(frame)
        served = found if served is None else served.merge(found)
    if served is None:
        raise NotFound(
            f"the prediction log has nothing that {service} was asked since {after:%Y-%m-%d %H:%M} UTC",
            hint="Give a longer --since.",
        )
    return served, schema


def _asked(root: Path, service: str, after: datetime) -> "Iterator[list[dict[str, object]]]":
    """Inputs since a time, each request once: what shadows were asked, others were asked too."""
    from mainspring.domain.prediction import Prediction
    from mainspring.serving.log.ids import time_of
    from mainspring.serving.log.reader import read, segments
    from mainspring.serving.log.writer import MAX_SEGMENT_AGE

    rows: list[dict[str, object]] = []
    for path in segments(root, service):
        if time_of("prd_" + path.stem) + MAX_SEGMENT_AGE + timedelta(minutes=2) < after:
            continue
        offset = 0
        while (batch := read(path, offset)).records:
            offset = batch.offset
            rows += [
                dict(record.inputs)
                for record in batch.records
                if isinstance(record, Prediction) and record.arm != "shadow" and record.at >= after
            ]
            if len(rows) >= _BATCH_ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def _schema(rows: "list[dict[str, object]]", training: "Profile") -> "pl.Schema":
    """The inputs' names with the types that they had in training; dates and times come as text."""
    import polars as pl

    from mainspring.domain.data_type import DataType

    types = {
        DataType.INTEGER: pl.Int64(),
        DataType.FLOAT: pl.Float64(),
        DataType.BOOLEAN: pl.Boolean(),
    }
    names = dict.fromkeys(name for row in rows for name in row)
    known = {column.name: column.type for column in training.columns}
    return pl.Schema(
        {
            name: types.get(known[name], pl.String())
            for name in names
            if known.get(name) not in (None, DataType.DATE, DataType.DATETIME, DataType.OTHER)
        }
    )
