import pytest

from mainspring.app import App
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import SearchExperiments, SearchRuns


@pytest.mark.parametrize("filter_", [".name = 'x'", ". = 'x'", "` = 'x'", "'", "= = =", "a.b.c"])
def test_a_filter_that_makes_no_sense_is_refused(app: App, filter_: str) -> None:
    with pytest.raises(Invalid):
        app.call(SearchExperiments(filter=filter_))


@pytest.mark.parametrize(
    ("filter", "words"),
    [
        (
            "foo.x = 'y'",
            "Invalid entity type 'foo'. Valid values are "
            "['metric', 'parameter', 'tag', 'attribute', 'dataset']",
        ),
        ("metrics.a < 'b'", "Expected numeric value type for metric. Found 'b'"),
        ("metrics.a < nan", "Expected numeric value type for metric. Found nan"),
        ("metrics.a < 1_0", "Expected numeric value type for metric. Found 1_0"),
        (
            "start_time > 'b'",
            "Expected numeric value type for numeric attribute: start_time. Found 'b'",
        ),
        (
            "params.a = 6",
            "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 6",
        ),
        ("status = RUNNING", "Expected a quoted string value for attributes. Got value RUNNING"),
        ("dataset.name = 6", "Expected a quoted string value for dataset attributes. Got value 6"),
        ("params.a > 'x'", "Invalid comparator '>' not one of "),
        (
            "run_name IN ('a')",
            "Only ['run_id'] attributes support comparison with a list of quoted string values.",
        ),
        (
            "metrics.a IS NULL",
            "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'a'",
        ),
        ("datasets.x = 'y'", "Invalid dataset key 'x' specified. Valid keys are "),
        ("attributes.x = 'y'", "Invalid attribute key 'x' specified. Valid keys are "),
        ("params.a = 'x' OR params.b = 'y'", "Invalid clause(s) in filter string: "),
    ],
)
def test_what_is_wrong_is_said_in_mlflows_words(app: App, filter: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        app.call(SearchRuns(experiments=("0",), filter=filter))

    assert caught.value.message.startswith(words)
