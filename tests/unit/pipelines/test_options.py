"""What a step says about itself: when it is tried again, and what else its result depends on."""

import pytest

from mainspring.domain.pipeline import Node, PipelineRunState
from mainspring.kernel.errors import Invalid
from mainspring.testing.flows import Flow


def a_flow(body: str, options: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"@ms.step({options})\ndef work():\n{lines}\n\n"
        "@ms.pipeline\ndef flow():\n    return work()\n"
    )


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ("retries=2, retry_delay=0", 3),
        ("retries=2, retry_delay=0, retry_on=ConnectionError", 3),
        ("retries=2, retry_delay=0, retry_on=(KeyError, OSError)", 3),
        ("retries=2, retry_delay=0, retry_on=KeyError", 1),
    ],
)
def test_only_the_named_exceptions_are_tried_again(flow: Flow, options: str, attempts: int) -> None:
    flow.write(a_flow("raise ConnectionResetError('gone')", options))

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert flow.states(run) == {"work": ["failed"] * attempts}


def test_a_timeout_is_an_exception_too(flow: Flow) -> None:
    flow.write(
        a_flow(
            "mark('work')\nif (MARKS / 'work').read_text() == 'x':\n    time.sleep(60)\nreturn 1",
            "retries=1, retry_delay=0, timeout=0.5, retry_on=TimeoutError",
        )
    )

    run = flow.run()

    assert flow.states(run) == {"work": ["failed", "succeeded"]}


def test_waits_grow_by_the_factor_up_to_an_hour() -> None:
    node = Node(
        id="a",
        step="flow:a",
        node_outputs={},
        datasets={},
        parameters={},
        constants={},
        retries=9,
        retry_delay_seconds=10,
        retry_backoff=3,
    )

    assert [node.delay_after(n) for n in (1, 2, 3, 9)] == [10, 30, 90, 3600]


def test_a_declared_file_makes_it_run_again_when_it_changes(flow: Flow) -> None:
    flow.write(a_flow("mark('work')\nreturn 1", "files='sql/*.sql'"))
    (flow.folder / "sql").mkdir()
    (flow.folder / "sql" / "a.sql").write_text("select 1")
    (flow.folder / "other.sql").write_text("select 1")
    flow.run()
    (flow.folder / "other.sql").write_text("select 2")
    flow.run()
    assert flow.count("work") == 1

    (flow.folder / "sql" / "a.sql").write_text("select 2")
    flow.run()

    assert flow.count("work") == 2


def test_a_declared_file_that_is_not_there_fails_the_run(flow: Flow) -> None:
    flow.write(a_flow("return 1", "files=['limits.json']"))

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert "files='limits.json', and the project's snapshot has none" in str(run.error)


def test_a_declared_variable_makes_it_run_again_when_it_changes(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.write(a_flow("mark('work')\nreturn os.environ.get('REGION', '')", "env='REGION'"))
    monkeypatch.setenv("OTHER", "1")
    assert flow.value(flow.run()) == ""
    monkeypatch.setenv("OTHER", "2")
    flow.run()
    assert flow.count("work") == 1

    monkeypatch.setenv("REGION", "north")

    assert flow.value(flow.run()) == "north"
    assert flow.count("work") == 2


def test_a_new_salt_makes_it_run_again(flow: Flow) -> None:
    for salt, count in (("a", 1), ("a", 1), ("b", 2), ("a", 2)):
        flow.write(a_flow("mark('work')\nreturn 1", f"salt={salt!r}"))
        flow.run()
        assert flow.count("work") == count


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("retry_on='OSError'", "retry_on names 'OSError', which is no type of exception"),
        ("retry_backoff=0.5", "retry_backoff is 0.5; it is a factor from 1 to 10"),
        ("env=[1]", r"env is \(1,\); it is a list of names"),
    ],
)
def test_a_wrong_option_is_refused_where_it_stands(flow: Flow, options: str, told: str) -> None:
    flow.write(a_flow("return 1", options))

    with pytest.raises(Invalid, match=told):
        flow.run()
