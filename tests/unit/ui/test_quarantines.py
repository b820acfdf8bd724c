"""The page of a version tells of the rows that were kept out of it."""

import polars as pl

from mainspring.app import App
from mainspring.quality.intake import add_data
from mainspring.quality.requests import AcceptSchema, DiscardQuarantine
from mainspring.testing.web import Browser

SCHEMA = (
    'dataset = "rides"\n[column.temp]\ntype = "float"\n[[expect]]\nthat = "rows_to_satisfy"\n'
    'condition = "temp > 0"\nseverity = "quarantine"\nname = "no <frost>"\n'
)


def test_a_version_shows_the_rows_that_were_kept_out_of_it(app: App, empty: Browser) -> None:
    app.call(AcceptSchema(dataset="rides", toml=SCHEMA))
    result = add_data(app.call, app.blobs, "rides", pl.DataFrame({"temp": [1.0, -2.0, 3.0]}))
    assert result.quarantine is not None

    held = empty.get("/datasets/rides/1").text
    app.call(DiscardQuarantine(id=result.quarantine.id))
    decided = empty.get("/datasets/rides/1").text

    assert "Rows kept apart" in held and result.quarantine.id in held
    assert "no &lt;frost&gt;" in held and "held" in held
    assert "discarded" in decided and "tester" in decided
