"""The address of every kind of page, for tests that visit them all."""

from mainspring.testing.story.tell import Story

EVERYWHERE = (
    "/",
    "/runs",
    "/runs?kind=tracked",
    "/traces",
    "/triggers",
    "/datasets",
    "/models",
    "/incidents",
    "/predictions",
    "/audit",
    "/audit?verify=1",
    "/search",
    "/search?q=nothing+like+that",
)
"""Pages that every installation has."""


def addresses_of(story: Story) -> dict[str, str]:
    """Pages of a story, by what they show."""
    return {
        "service": "/services/demand",
        "service with every event": "/services/demand?details=all&windows=24",
        "service that waits for approval": "/services/fraud",
        "service without a model": "/services/churn",
        "run": f"/runs/{story.run.id}",
        "log of one step": f"/runs/{story.run.id}?node=train",
        "failed run": f"/runs/{story.failed_run.id}",
        "tracked run": f"/runs/{story.tracked_run}",
        "trace": f"/traces/{story.trace}",
        "a span of a trace": f"/traces/{story.trace}?span={3:016x}",
        "dataset": "/datasets/rides",
        "first version of a dataset": "/datasets/rides/1",
        "accepted version of a dataset": f"/datasets/rides/{story.rides.number}",
        "refused version of a dataset": f"/datasets/rides/{story.refused.number}",
        "changes of a dataset": f"/datasets/rides/diff?before=1&after={story.refused.number}",
        "changes by a key that can't be one": "/datasets/rides/diff?key=nothing",
        "model": "/models/demand",
        "champion": f"/models/demand/{story.champion.number}",
        "version that waits for approval": "/models/fraud/1",
        "closed incident": f"/incidents/{story.incident.id}",
        "open incident": f"/incidents/{story.open_incident.id}",
        "prediction": f"/predictions/{story.prediction}",
        "what there is not": "/services/nothing",
    }
