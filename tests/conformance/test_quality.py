"""Schemas, reports and deliveries on both databases."""

import threading
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.datasets.requests import (
    GetDatasetVersion,
    ListDatasets,
    ListDatasetVersions,
)
from mainspring.domain.dataset import DatasetVersionState
from mainspring.domain.event import (
    CheckReportRecorded,
    DatasetVersionAdded,
    DatasetVersionRefused,
    SchemaAccepted,
)
from mainspring.governance.requests import ListAuditEntries, VerifyAudit
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.quality.checks import check_table
from mainspring.quality.intake import IntakeResult, add_data
from mainspring.quality.profile import decode_profile
from mainspring.quality.requests import (
    AcceptSchema,
    GetCheckReport,
    GetSchema,
    ListCheckReports,
    RecordCheckReport,
)
from mainspring.quality.schema_file import parse_schema
from mainspring.testing.apps import clock_of, emitted

TOML = 'dataset = "rides"\n[column.temp]\ntype = "float"\nmax = 50\n'
GOOD = pl.DataFrame({"temp": [10.0, 20.0]})
BAD = pl.DataFrame({"temp": [10.0, 68.0]})


def add(app: App, frame: pl.DataFrame) -> IntakeResult:
    clock_of(app).advance(timedelta(seconds=1))
    return add_data(app.call, app.blobs, "rides", frame, note="hourly")


def test_a_schema_is_in_force_from_when_it_is_accepted(any_app: App) -> None:
    assert any_app.call(GetSchema(dataset="rides")) is None

    first = any_app.call(AcceptSchema(dataset="rides", toml=TOML))
    again = any_app.call(AcceptSchema(dataset="rides", toml=TOML))
    commented = any_app.call(AcceptSchema(dataset="rides", toml=TOML + "# hot enough\n"))

    assert first == again
    assert (first.number, commented.number) == (1, 2)
    assert first.digest == commented.digest
    assert any_app.call(GetSchema(dataset="rides")) == commented
    assert [event.why for event in emitted(any_app, SchemaAccepted)] == [
        "the dataset's first schema",
        "only comments or layout changed",
    ]


def test_a_schema_that_can_not_be_right_is_refused_with_its_line(any_app: App) -> None:
    with pytest.raises(Invalid, match=r"^rides\.schema\.toml:3: column\.temp\.type is 'real'"):
        any_app.call(AcceptSchema(dataset="rides", toml=TOML.replace("float", "real")))
    with pytest.raises(Invalid, match="schema of 'rides', not of 'trips'"):
        any_app.call(AcceptSchema(dataset="trips", toml=TOML))

    assert any_app.call(GetSchema(dataset="rides")) is None
    assert any_app.call(ListAuditEntries()).items[0].outcome == "invalid"


def test_data_without_a_schema_is_accepted_with_a_profile(any_app: App) -> None:
    result = add(any_app, GOOD)

    assert (result.accepted, result.report, result.is_new) == (True, None, True)
    assert result.version.profile is not None
    profile = decode_profile(any_app.blobs.read(result.version.profile))
    assert (profile.row_count, profile.columns[0].maximum) == (2, 20.0)


def test_good_data_is_accepted_with_its_report(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=TOML))

    result = add(any_app, GOOD)

    assert result.accepted
    stored = any_app.call(GetCheckReport(version=result.version.id))
    assert stored is not None
    assert (stored.passed, stored.number, stored.report) == (True, 1, result.report)
    assert emitted(any_app, CheckReportRecorded)[0].why == "passed 4 of 4 checks on 2 rows"
    assert emitted(any_app, DatasetVersionAdded)[0].why == "hourly"


def test_bad_data_is_refused_with_its_report_in_one_transaction(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=TOML))
    good = add(any_app, GOOD)

    result = add(any_app, BAD)

    assert not result.accepted
    assert result.version.state is DatasetVersionState.REFUSED
    assert any_app.call(GetDatasetVersion(dataset="rides")) == good.version
    event = emitted(any_app, DatasetVersionRefused)[0]
    assert event.payload["failed_checks"] == ["temp.range"]
    assert event.why == "hourly: failed temp.range"
    stored = any_app.call(GetCheckReport(version=result.version.id))
    assert stored is not None
    assert event.payload["report"] == stored.id
    assert stored.report.blocking[0].examples == ({"#": 1, "temp": 68.0},)
    newest = any_app.call(ListAuditEntries()).items[0]
    assert (newest.operation, event.id in newest.events) == ("dataset.deliver", True)
    assert any_app.call(VerifyAudit()).intact


def test_the_same_delivery_again_changes_nothing(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=TOML))

    for frame in (GOOD, BAD):
        first, again = add(any_app, frame), add(any_app, frame)
        assert (again.version, again.report) == (first.version, first.report)
        assert (first.is_new, again.is_new) == (True, False)

    assert len(any_app.call(ListCheckReports(dataset="rides"))) == 2
    assert any_app.call(ListDatasets())[0].version_count == 2


def test_refused_data_passes_once_people_have_widened_the_schema(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=TOML))
    refused = add(any_app, BAD)
    any_app.call(AcceptSchema(dataset="rides", toml=TOML.replace("50", "90")))

    accepted = add(any_app, BAD)

    assert (refused.accepted, accepted.accepted) == (False, True)
    assert accepted.version.number == 2
    assert [r.passed for r in any_app.call(ListCheckReports(dataset="rides"))] == [True, False]


def test_files_that_are_no_table_are_refused_where_a_schema_asks_for_one(
    any_app: App, tmp_path: Path
) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=TOML))
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")

    result = add_data(any_app.call, any_app.blobs, "rides", tmp_path / "photo.png")

    assert not result.accepted
    assert result.report is not None
    assert result.report.blocking[0].check == "table"


def test_a_report_can_be_added_to_a_version_later(any_app: App) -> None:
    version = add(any_app, BAD).version
    report = check_table(parse_schema(TOML), BAD)

    stored = any_app.call(RecordCheckReport(version=version.id, report=report))

    assert any_app.call(GetCheckReport(version=version.id)) == stored
    assert any_app.call(GetDatasetVersion(dataset="rides")) == version
    assert emitted(any_app, CheckReportRecorded)[0].payload["failed_checks"] == ["temp.range"]


def test_reports_on_what_is_not_there_are_refused(any_app: App) -> None:
    report = check_table(parse_schema(TOML), GOOD)

    with pytest.raises(NotFound):
        any_app.call(RecordCheckReport(version="dsv_none", report=report))
    with pytest.raises(NotFound):
        any_app.call(GetCheckReport(version="dsv_none"))


def test_two_who_deliver_the_same_at_once_make_one_version(any_app: App) -> None:
    results: list[IntakeResult] = []

    def deliver() -> None:
        results.append(add_data(any_app.call, any_app.blobs, "rides", GOOD))

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.is_new for result in results].count(True) == 1
    assert len(any_app.call(ListDatasetVersions(dataset="rides"))) == 1
