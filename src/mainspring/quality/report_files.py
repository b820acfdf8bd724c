"""A check report as a file: JSON for programs, JUnit for CI systems, HTML for people."""

import html
from enum import StrEnum
from typing import TYPE_CHECKING
from xml.etree import ElementTree as xml

from mainspring.domain.check import CheckReport, CheckResult, Scalar, Severity
from mainspring.kernel.codec import encode_text
from mainspring.quality.report import headline, report_lines

if TYPE_CHECKING:
    from mainspring.quality.profile import ColumnProfile, Profile

_BARS = 24
_CATEGORIES = 12
_WORDS = {Severity.BLOCK: "blocks", Severity.QUARANTINE: "quarantines", Severity.WARN: "warns"}


class ReportFormat(StrEnum):
    """What a report can be written as."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    HTML = "html"


def report_file(
    report: CheckReport,
    format_: ReportFormat,
    *,
    title: str,
    profile: "Profile | None" = None,
    reference: "Profile | None" = None,
) -> str:
    """The report in a format. HTML shows each column's histogram of `profile` over that of `reference`."""
    match format_:
        case ReportFormat.TEXT:
            return "\n".join(report_lines(report, title=title)) + "\n"
        case ReportFormat.JSON:
            return encode_text(report) + "\n"
        case ReportFormat.JUNIT:
            return _junit(report, title)
        case ReportFormat.HTML:
            return _html(report, title, profile, reference)


def _junit(report: CheckReport, title: str) -> str:
    """A failed check that blocks or quarantines is a failure; one that warns is a skipped test with its message."""
    failures = [*report.blocking, *report.quarantining]
    suite = xml.Element(
        "testsuite",
        name=title,
        tests=str(len(report.results)),
        failures=str(len(failures)),
        errors="0",
        skipped=str(len(report.warnings)),
    )
    for result in report.results:
        case = xml.SubElement(
            suite, "testcase", classname=result.column or "table", name=result.name or result.check
        )
        if result.passed:
            continue
        said = f"{result.observed}; expected {result.expected}"
        kind = "skipped" if result.severity is Severity.WARN else "failure"
        type_ = result.anomaly or result.check
        outcome = xml.SubElement(case, kind, message=_printable(said), type=type_)
        if result.examples:
            outcome.text = _printable("\n".join(_row_text(row) for row in result.examples))
    root = xml.Element("testsuites")
    root.append(suite)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _row_text(row: dict[str, Scalar]) -> str:
    cells = [f"{name}={value}" for name, value in row.items() if name != "#"]
    return f"row {row.get('#')}: {', '.join(cells)}"


def _printable(text: str) -> str:
    """Without the control characters that XML can't hold."""
    return "".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in text)


def _html(
    report: CheckReport, title: str, profile: "Profile | None", reference: "Profile | None"
) -> str:
    failed = [*report.blocking, *report.quarantining, *report.warnings]
    passed = [result for result in report.results if result.passed]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{_safe(title)}</h1><p class='{'good' if report.passed else 'bad'}'>"
        f"{_safe(headline(report))}</p>",
        *(_failure(result) for result in failed),
    ]
    if passed:
        rows = "".join(_passed_row(result) for result in passed)
        head = "<tr><th>check</th><th>column</th><th>seen</th><th>expected</th></tr>"
        parts.append(
            f"<details><summary>{len(passed)} checks passed</summary>"
            f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></details>"
        )
    if profile is not None:
        parts.append("<h2>Columns</h2>")
        if reference is not None:
            parts.append("<p>Filled: this table. Outlined: the version before.</p>")
        parts += [
            _column(c, reference.column(c.name) if reference else None) for c in profile.columns
        ]
    return "\n".join([*parts, "</main></body></html>\n"])


def _failure(result: CheckResult) -> str:
    head = f"<h3>{_safe(result.title)} <small>{_WORDS[result.severity]}</small></h3>"
    said = f"<p>Seen: {_safe(result.observed)}.<br>Expected: {_safe(result.expected)}.</p>"
    table = ""
    if result.examples:
        names = list(result.examples[0])
        head_cells = "".join(f"<th>{'row' if n == '#' else _safe(n)}</th>" for n in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{_safe(_cell(row.get(n)))}</td>" for n in names) + "</tr>"
            for row in result.examples
        )
        table = f"<table><thead><tr>{head_cells}</tr></thead><tbody>{body}</tbody></table>"
    return f"<section class='{result.severity.value}'>{head}{said}{table}</section>"


def _passed_row(result: CheckResult) -> str:
    cells = (result.name or result.check, result.column or "", result.observed, result.expected)
    return "<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in cells) + "</tr>"


def _column(column: "ColumnProfile", before: "ColumnProfile | None") -> str:
    from mainspring.quality.infer import describe

    bars = _bars(column, before)
    was = ""
    if before is not None and before.missing_share != column.missing_share:
        was = f" Missing: {column.missing_share:.2%}, {before.missing_share:.2%} before."
    return (
        f"<section><h3>{_safe(column.name)} <small>{column.type.value}</small></h3>"
        f"{_svg(bars, column.name)}<p>{_safe(describe(column))}.{was}</p></section>"
    )


def _bars(
    column: "ColumnProfile", before: "ColumnProfile | None"
) -> list[tuple[str, float, float | None]]:
    """Label, share of rows and share of rows before, for each bar; missing values are the first bar."""
    import numpy as np

    missing = ("missing", column.missing_share, before.missing_share if before else None)
    if column.quantiles is not None and column.quantiles.count:
        sketches = [
            c.quantiles for c in (column, before) if c and c.quantiles and c.quantiles.count
        ]
        low = min(sketch.quantile(0.0) for sketch in sketches)
        high = max(sketch.quantile(1.0) for sketch in sketches)
        if not high > low:
            return [missing, (f"{low:g}", 1 - column.missing_share, None)]
        edges = np.linspace(low, high, _BARS + 1)
        shares = [
            np.diff(np.concatenate(([0.0], sketch.shares_up_to(edges[1:])))) for sketch in sketches
        ]
        return [
            missing,
            *(
                (
                    f"{edges[i]:.4g} to {edges[i + 1]:.4g}",
                    float(shares[0][i]) * (1 - column.missing_share),
                    float(shares[1][i]) * (1 - before.missing_share)
                    if before is not None and len(shares) > 1
                    else None,
                )
                for i in range(_BARS)
            ),
        ]
    if column.frequent is None or not column.row_count:
        return [missing]
    olds = dict(before.frequent.top(1000)) if before and before.frequent else None
    rows = before.row_count if before else 0
    return [
        missing,
        *(
            (
                str(value),
                count / column.row_count,
                olds.get(value, 0) / rows if olds is not None and rows else None,
            )
            for value, count in column.frequent.top(_CATEGORIES)
        ),
    ]


def _svg(bars: list[tuple[str, float, float | None]], name: str) -> str:
    most = max([share for _, share, _ in bars] + [b for *_, b in bars if b] + [1e-9])
    width, height = 14, 60
    shapes = []
    for i, (label, share, before) in enumerate(bars):
        tall = height * share / most
        hint = f"{label}: {share:.2%}" + (f", {before:.2%} before" if before is not None else "")
        kind = " class='gap'" if i == 0 else ""
        shapes.append(
            f"<rect x='{i * width}' y='{height - tall:.1f}' width='{width - 2}' "
            f"height='{tall:.1f}'{kind}><title>{_safe(hint)}</title></rect>"
        )
        if before is not None:
            tall = height * before / most
            shapes.append(
                f"<rect class='before' x='{i * width + 0.5}' y='{height - tall:.1f}' "
                f"width='{width - 3}' height='{tall:.1f}'/>"
            )
    return (
        f"<svg role='img' aria-label='{_safe(f'Histogram of {name}')}' width='{len(bars) * width}' "
        f"height='{height}'>{''.join(shapes)}</svg>"
    )


def _cell(value: Scalar) -> str:
    return "(missing)" if value is None else str(value)


def _safe(text: str) -> str:
    return html.escape(text, quote=True)


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color:#1d2430;background:#fff}table{border-collapse:collapse;font-size:14px}"
    "td,th{border:1px solid #d5dae1;padding:.2rem .5rem;text-align:left}"
    "section{margin:1.2rem 0;padding-left:.8rem;border-left:4px solid #d5dae1}"
    "section.block{border-color:#b3261e}section.quarantine,section.warn{border-color:#9a6700}"
    "h3{margin:0}small{font-weight:400;color:#57606a}.bad{color:#b3261e}.good{color:#1a7f37}"
    "rect{fill:#6b8fb5}rect.gap{fill:#b0b7c0}rect.before{fill:none;stroke:#1d2430}"
)
