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
from mainspring.datasets.tables import read_table
from mainspring.domain.dataset import DatasetVersionState
from mainspring.domain.event import (
    CheckReportRecorded,
    DatasetVersionAdded,
    DatasetVersionRefused,
    RowsQuarantined,
    SchemaAccepted,
)
from mainspring.domain.quarantine import QuarantineState
from mainspring.governance.requests import ListAuditEntries, VerifyAudit
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.quality.checks import check_table
from mainspring.quality.custom.code import store_code
from mainspring.quality.intake import IntakeResult, add_data
from mainspring.quality.profile import decode_profile
from mainspring.quality.release import release
from mainspring.quality.requests import (
    AcceptSchema,
    DiscardQuarantine,
    GetCheckReport,
    GetQuarantine,
    GetSchema,
    ListCheckReports,
    ListQuarantines,
    RecordCheckReport,
    ReleaseQuarantine,
)
from mainspring.quality.schema_file import parse_schema
from mainspring.store.references import references
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


CAREFUL = TOML + (
    '[[expect]]\nthat = "column_values_to_be_between"\ncolumn = "temp"\nmin_value = 0\n'
    'severity = "quarantine"\nname = "no frost"\n'
)
FROSTY = pl.DataFrame({"temp": [10.0, -3.0, 20.0, -4.0]})


def test_rows_that_fail_are_kept_apart_and_the_others_come_in(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=CAREFUL))

    result = add(any_app, FROSTY)

    assert result.accepted and result.quarantine is not None and result.report is not None
    assert read_table(any_app.blobs, result.version.manifest)["temp"].to_list() == [10.0, 20.0]
    apart = read_table(any_app.blobs, result.quarantine.manifest)
    assert apart.rows() == [(-3.0, "no frost"), (-4.0, "no frost")]
    assert result.quarantine.reasons == {"no frost": 2}
    assert result.report.quarantined_row_count == 2
    (told,) = emitted(any_app, RowsQuarantined)
    assert told.why == "no frost (2)"
    assert any_app.call(ListQuarantines(dataset="rides")) == (result.quarantine,)
    assert any_app.call(ListQuarantines(state=QuarantineState.RELEASED)) == ()


def test_the_same_delivery_again_is_quarantined_once(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=CAREFUL))
    first = add(any_app, FROSTY)

    again = add(any_app, FROSTY)

    assert not again.is_new
    assert again.quarantine == first.quarantine
    assert len(any_app.call(ListQuarantines())) == 1


def test_released_rows_make_a_version_that_has_them_too(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=CAREFUL))
    held = add(any_app, FROSTY).quarantine
    assert held is not None

    released = release(any_app.call, any_app.blobs, held.id, note="it did freeze")

    newest = any_app.call(GetDatasetVersion(dataset="rides"))
    assert (released.state, released.released_in) == (QuarantineState.RELEASED, newest.id)
    temps = read_table(any_app.blobs, newest.manifest)["temp"].to_list()
    assert temps == [10.0, 20.0, -3.0, -4.0]
    assert newest.row_count == 4
    with pytest.raises(Conflict, match="was released already, by"):
        any_app.call(DiscardQuarantine(id=held.id))


def test_rows_of_an_older_version_are_not_released(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=CAREFUL))
    held = add(any_app, FROSTY).quarantine
    assert held is not None
    add(any_app, pl.DataFrame({"temp": [11.0]}))

    with pytest.raises(Conflict, match="version 2 has come since"):
        release(any_app.call, any_app.blobs, held.id)

    discarded = any_app.call(DiscardQuarantine(id=held.id, note="too late"))
    assert discarded.state is QuarantineState.DISCARDED


def test_a_delivery_of_nothing_but_bad_rows_is_refused(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=CAREFUL))

    result = add(any_app, pl.DataFrame({"temp": [-1.0, -2.0]}))

    assert not result.accepted and result.quarantine is None
    assert result.report is not None
    assert [r.check for r in result.report.blocking] == ["quarantine"]


def test_a_release_must_bring_exactly_the_rows_that_were_held(any_app: App) -> None:
    any_app.call(AcceptSchema(dataset="rides", toml=CAREFUL))
    result = add(any_app, FROSTY)
    assert result.quarantine is not None

    with pytest.raises(Invalid, match="make 4 rows, not 9"):
        any_app.call(
            ReleaseQuarantine(
                id=result.quarantine.id,
                manifest=result.version.manifest,
                file_count=1,
                size_bytes=1,
                row_count=9,
                columns=(),
            )
        )
    with pytest.raises(NotFound, match="no quarantine 'qua_none'"):
        any_app.call(GetQuarantine(id="qua_none"))


def test_a_delivery_is_compared_with_the_version_before(any_app: App) -> None:
    expects = TOML + (
        '[[expect]]\nthat = "column_missing_share_to_match_reference"\ncolumn = "temp"\n'
        '[[expect]]\nthat = "table_row_count_to_be_near_reference"\nmin_fraction = 0.5\n'
    )
    any_app.call(
        AcceptSchema(dataset="rides", toml=expects.replace("max = 50", "max_null_share = 1"))
    )
    assert add(any_app, pl.DataFrame({"temp": [float(n) for n in range(100)]})).accepted

    silent = add(any_app, pl.DataFrame({"temp": [1.0, None] * 50}))
    short = add(any_app, pl.DataFrame({"temp": [1.0] * 10}))

    assert silent.report is not None and short.report is not None
    assert [r.observed for r in silent.report.blocking] == [
        "50.00% missing, 0.00% in the version before"
    ]
    assert [r.observed for r in short.report.blocking] == ["10 rows, 100 before"]


OWN = """
[[expect]]
that = "custom_check_to_pass"
check = "checks.py:cool"
column = "temp"
severity = "quarantine"
"""
COOL = "import mainspring as ms\n\n@ms.check\ndef cool(temp):\n    return temp < {}\n"


def test_a_schema_is_in_force_with_the_code_of_its_checks(any_app: App, tmp_path: Path) -> None:
    toml = TOML + OWN
    with pytest.raises(Invalid, match=r"names checks in checks\.py, whose code is not given"):
        any_app.call(AcceptSchema(dataset="rides", toml=toml))

    accepted = []
    for limit in (15, 15, 30):
        (tmp_path / "checks.py").write_text(COOL.format(limit))
        code = store_code(any_app.blobs, parse_schema(toml), [tmp_path])
        accepted.append(any_app.call(AcceptSchema(dataset="rides", toml=toml, code=code)))
        if limit == 15:
            # What lies in the folder is of no matter once it is accepted.
            (tmp_path / "checks.py").write_text("raise SystemExit")
            result = add(any_app, GOOD)

    assert [schema.number for schema in accepted] == [1, 1, 2]
    assert emitted(any_app, SchemaAccepted)[-1].why == "the code of its own checks changed"
    assert result.accepted
    assert result.quarantine is not None
    assert result.quarantine.reasons == {"checks.py:cool": 1}
    with any_app.store.read(any_app.actor, "test") as tx:
        kept = {reference.digest for reference in references(tx)}
    assert {schema.code for schema in accepted} <= kept
