"""The page that compares two versions of a dataset."""

from pathlib import Path

import polars as pl

from mainspring.app import App
from mainspring.datasets.references import pin_sql
from mainspring.datasets.requests import ListDatasetVersions, RemoveDatasetVersion
from mainspring.quality.intake import add_data, add_reference
from mainspring.server.control import create_app_on
from mainspring.testing.web import Browser
from mainspring.ui.comparing import compared


def add(app: App, folder: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(folder / "rides.parquet")
    add_data(app.call, app.blobs, "rides", folder / "rides.parquet")


def test_rows_columns_and_values_that_changed_are_shown(app: App, tmp_path: Path) -> None:
    before = pl.DataFrame({"id": [1, 2, 3], "fare": [1.0, 2.0, 3.0], "old": ["a", "b", "c"]})
    add(app, tmp_path, before)
    add(app, tmp_path, pl.DataFrame({"id": [2, 3, 4], "fare": [2.5, 3.0, 4.0]}))

    with Browser(create_app_on(app)) as browser:
        page = browser.get("/datasets/rides/diff", params={"key": "id"}).text

    for said in ("Rows are matched by id", "Changed rows", "Added rows", "Removed rows"):
        assert said in page
    assert "<td>2</td><td>fare</td><td>2</td><td>2.5</td>" in page
    assert '<th scope="row">old</th><td>String</td><td>–</td>' in page
    assert "How values moved" in page


def test_a_key_that_is_no_column_is_said(app: App, tmp_path: Path) -> None:
    for count in (1, 2):
        add(app, tmp_path, pl.DataFrame({"id": range(count)}))

    with Browser(create_app_on(app)) as browser:
        answer = browser.get("/datasets/rides/diff", params={"key": "<b>"})

    assert answer.status_code == 200
    assert "the key column &#39;&lt;b&gt;&#39; is in neither version" in answer.text


def test_a_first_version_has_nothing_to_be_compared_with(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, pl.DataFrame({"id": [1]}))

    with Browser(create_app_on(app)) as browser:
        assert "it is the first version" in browser.get("/datasets/rides/diff").text
        assert browser.get("/datasets/rides/diff?before=7").status_code == 404
        assert browser.get("/datasets/rides/diff?before=x").status_code == 400
        assert browser.get("/datasets/nothing/diff").status_code == 404


def test_files_that_are_no_table_are_compared_as_files(app: App, tmp_path: Path) -> None:
    for text in ("one", "two"):
        (tmp_path / "note.txt").write_text(text)
        add_data(app.call, app.blobs, "rides", tmp_path / "note.txt")

    with Browser(create_app_on(app)) as browser:
        page = browser.get("/datasets/rides/diff").text

    assert "Their files are not tables" in page
    assert "note.txt" in page


def test_what_takes_too_long_is_left_to_the_command_line(app: App, tmp_path: Path) -> None:
    for count in (1, 2):
        add(app, tmp_path, pl.DataFrame({"id": range(count)}))
    versions = app.call(ListDatasetVersions(dataset="rides"))

    assert compared(app, *versions, schema=None, key=None, seconds=0.001) is None
    assert compared(app, *versions, schema=None, key=None) is not None


def test_a_server_follows_no_pinned_reference(app: App, tmp_path: Path) -> None:
    add(app, tmp_path, pl.DataFrame({"id": [1]}))
    reference = pin_sql("sqlite://", "select 1 as id")
    add_reference(app.call, app.blobs, "rides", reference)

    with Browser(create_app_on(app)) as browser:
        page = browser.get("/datasets/rides/diff").text

    assert "version 2 is a pinned reference, whose rows are compared where it can be read" in page


def test_the_page_of_a_removed_version_says_who_let_go_of_it_and_why(
    app: App, tmp_path: Path
) -> None:
    add(app, tmp_path, pl.DataFrame({"id": [1]}))
    app.call(RemoveDatasetVersion(dataset="rides", number=1, why="taken twice <b>"))

    with Browser(create_app_on(app)) as browser:
        page = browser.get("/datasets/rides/1").text

    assert "Its files were let go of" in page
    assert "taken twice &lt;b&gt;" in page
