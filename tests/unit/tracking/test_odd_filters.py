import pytest

from mainspring.app import App
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import SearchExperiments


@pytest.mark.parametrize("filter_", [".name = 'x'", ". = 'x'", "` = 'x'", "'", "= = =", "a.b.c"])
def test_a_filter_that_makes_no_sense_is_refused(app: App, filter_: str) -> None:
    with pytest.raises(Invalid):
        app.call(SearchExperiments(filter=filter_))
