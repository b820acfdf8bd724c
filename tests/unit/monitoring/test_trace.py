from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.kernel.errors import NotFound
from mainspring.monitoring.trace import lineage_of, trace
from mainspring.registry.requests import GetModelVersion
from mainspring.testing.story.tell import a_lived_in_app


def test_a_prediction_is_traced_to_everything_it_came_from(tmp_path: Path) -> None:
    story = a_lived_in_app(tmp_path / "home")
    app = story.app

    found = trace(app.call, app.settings.predictions_path, story.prediction)

    lineage = found.lineage
    assert found.prediction.output == 214.5
    assert lineage
    assert lineage.version.id == story.champion.id
    assert lineage.run
    assert lineage.run.id == story.run.id
    assert (lineage.project, lineage.environment) == (story.run.project, story.run.environment)
    assert [item.version.id for item in lineage.data] == [story.rides.id]
    assert lineage.data[0].report
    assert lineage.data[0].report.passed
    assert [rollout.candidate for rollout in lineage.rollouts] == [story.champion.id]

    outside = app.call(GetModelVersion(model="fraud", number=1))
    assert lineage_of(app.call, outside, "fraud").run is None
    assert lineage_of(app.call, outside, "fraud").data == ()
    app.close()


@pytest.mark.parametrize("id_", ["prd_01kdvnhh000000000000000000", "prd_x", "run_1", "../../etc"])
def test_what_is_not_in_the_log_is_not_found(app: App, id_: str) -> None:
    with pytest.raises(NotFound):
        trace(app.call, app.settings.predictions_path, id_)
