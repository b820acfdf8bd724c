"""Reports as files for programs, CI systems and people."""

from xml.etree import ElementTree

import polars as pl

from mainspring.domain.check import CheckReport
from mainspring.kernel.codec import decode
from mainspring.quality.checks import check_table
from mainspring.quality.measure import profile_table
from mainspring.quality.report_files import ReportFormat, report_file
from mainspring.quality.schema_file import parse_schema

SCHEMA = parse_schema(
    'dataset = "t"\n[column.x]\ntype = "float"\nmax = 1\nmax_null_share = 1\n[column.w]\ntype = "string"\n'
    'categories = ["a"]\nseverity = "warn"\n'
)
TABLE = pl.DataFrame({"x": [0.5, 7.0, None], "w": ["a", "<b>&\x01", "a"]})
REPORT = check_table(SCHEMA, TABLE)


def test_json_is_the_report_itself() -> None:
    assert decode(report_file(REPORT, ReportFormat.JSON, title="t"), CheckReport) == REPORT


def test_junit_tells_failures_from_warnings() -> None:
    root = ElementTree.fromstring(report_file(REPORT, ReportFormat.JUNIT, title="t v2"))

    (suite,) = root
    assert (suite.get("name"), suite.get("failures"), suite.get("skipped")) == ("t v2", "1", "1")
    assert len(suite) == int(suite.get("tests") or 0) == len(REPORT.results)
    (failure,) = root.iter("failure")
    assert failure.get("message") == "1 row outside (7); expected at most 1"
    assert failure.text == "row 1: x=7.0, w=<b>&\ufffd"
    (skipped,) = root.iter("skipped")
    assert "<b>" in str(skipped.get("message"))


def test_html_shows_failures_and_histograms_and_escapes_what_it_shows() -> None:
    before = profile_table(TABLE.head(1))

    page = report_file(
        REPORT, ReportFormat.HTML, title="t <2>", profile=profile_table(TABLE), reference=before
    )

    assert "<b>" not in page and "&lt;b&gt;&amp;" in page
    assert "<title>t &lt;2&gt;</title>" in page
    assert page.count("<svg") == 2
    assert "missing: 33.33%, 0.00% before" in page
    assert "1 row outside (7)" in page


def test_text_is_what_the_terminal_shows() -> None:
    text = report_file(REPORT, ReportFormat.TEXT, title="t")

    assert text.startswith("t: refused: 1 of ")
    assert "✗ x, range: 1 row outside (7); expected at most 1" in text
