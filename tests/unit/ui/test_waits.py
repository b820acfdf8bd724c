"""A run that waits for an approval, and its page."""

import re
from pathlib import Path

from mainspring.app import App
from mainspring.domain.pipeline import PipelineRunState
from mainspring.pipelines.requests import GetPipelineRun
from mainspring.server.control import create_app_on
from mainspring.testing.flows import Flow
from mainspring.testing.web import Browser
from mainspring.ui import forms

WAITING = """
@ms.step(cache=False)
def work() -> int:
    return 1

@ms.pipeline
def flow():
    ms.when(ms.wait(approval="Is <this> fine?"), lambda: work())
"""


def test_a_question_is_answered_on_the_run_s_page(app: App, tmp_path: Path) -> None:
    flow = Flow(app, tmp_path / "project")
    flow.write(WAITING)
    run = flow.request()
    worker = flow.worker()
    worker.run_next()

    with Browser(create_app_on(app)) as browser:
        page = browser.get(f"/runs/{run.id}").text
        found = re.search(r'action="/runs/\w+/decide".*?value="(\w+)"', page, re.DOTALL)
        assert found
        answer = browser.post(
            f"/runs/{run.id}/decide",
            data={forms.FIELD: found[1], "step": "wait", "answer": "yes", "reason": "yes!"},
        )
        worker.run_next()
        after = browser.get(f"/runs/{run.id}").text
    worker.close()

    assert "Is &lt;this&gt; fine?" in page
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run.id}")
    assert app.call(GetPipelineRun(run=run.id)).state is PipelineRunState.SUCCEEDED
    assert "/decide" not in after
    assert "yes, by person:tester: yes!" in after
