"""A check report as lines of text, for terminals, logs and error messages."""

from mainspring.domain.check import CheckReport, CheckResult, Scalar, Severity

_WIDTH = 100


def report_lines(report: CheckReport, *, title: str = "") -> list[str]:
    """What failed, worst first, with rows that show it; one line if nothing did."""
    failed = [*report.blocking, *report.quarantining, *report.warnings]
    lines = [f"{title}: {headline(report)}" if title else _upper(headline(report))]
    for result in failed:
        lines += ["", *_result_lines(result)]
    return lines


def headline(report: CheckReport) -> str:
    """The report in one clause: `refused: 2 of 40 checks failed on 8,645 rows, 1 warning`."""
    checks = len(report.results)
    rows = f"{report.row_count:,} row{'' if report.row_count == 1 else 's'}"
    warnings = len(report.warnings)
    noted = f", {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
    if not report.passed:
        return f"refused: {len(report.blocking)} of {checks} checks failed on {rows}{noted}"
    passed = checks - warnings - len(report.quarantining)
    if report.quarantined_row_count:
        count = report.quarantined_row_count
        noted = f", {count:,} row{'' if count == 1 else 's'} kept apart{noted}"
    return f"passed {passed} of {checks} checks on {rows}{noted}"


def _result_lines(result: CheckResult) -> list[str]:
    mark = {Severity.BLOCK: "✗", Severity.QUARANTINE: "⊘"}.get(result.severity, "!")
    lines = [f"{mark} {result.title}: {result.observed}; expected {result.expected}"]
    for example in result.examples:
        cells = [f"{name}={_cell(value)}" for name, value in example.items() if name != "#"]
        lines.append(_fitted(f"    row {example.get('#')}: ", cells))
    hidden = result.failed_row_count - len(result.examples)
    if result.examples and hidden > 0:
        lines.append(f"    and {hidden:,} more")
    return lines


def _fitted(head: str, cells: list[str]) -> str:
    """As many cells as the line holds, at least the one that failed."""
    line = head + cells[0] if cells else head
    for cell in cells[1:]:
        if len(line) + 2 + len(cell) > _WIDTH:
            return f"{line}  …"
        line += "  " + cell
    return line


def _cell(value: Scalar) -> str:
    if value is None:
        return "(missing)"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).replace("\n", "⏎")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
