import itertools
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from mainspring.ui.charts.bars import Bin, Volume, histogram, share_bar, volume_chart
from mainspring.ui.charts.graph import GraphNode, Span, graph_picture, span_bar
from mainspring.ui.charts.heat import Heat, heat_map
from mainspring.ui.charts.layers import layout
from mainspring.ui.charts.lines import Limit, LineChart, Marker, Series, line_chart
from mainspring.ui.charts.scales import nice_ticks, thin, time_ticks
from mainspring.ui.charts.spark import sparkline

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_chart(*points: tuple[float, float | None]) -> LineChart:
    return LineChart(
        id="error",
        title="Error",
        unit="rides",
        series=[Series(name="measured", points=points, class_="s1")],
        limits=[Limit(label="limit", value=50.0)],
        markers=[Marker(x=points[0][0] if points else 0, label="model <2> took over")],
    )


def test_a_chart_is_well_formed_and_escapes_what_it_is_given() -> None:
    drawn = line_chart(a_chart((START.timestamp(), 10.0), (START.timestamp() + 3600, 20.0)))

    ElementTree.fromstring(str(drawn))
    assert "model &lt;2&gt; took over" in drawn


def test_a_chart_tells_its_numbers_as_text_and_as_a_table() -> None:
    drawn = line_chart(a_chart((START.timestamp(), 10.0), (START.timestamp() + 3600, 20.0)))

    assert "measured from 10 to 20" in drawn
    assert '<th scope="row">2026-01-01 01:00 UTC</th><td>20</td>' in drawn


def test_a_chart_without_points_says_so() -> None:
    assert "nothing measured yet" in line_chart(a_chart())


def test_a_gap_breaks_the_line() -> None:
    t = START.timestamp()

    drawn = line_chart(a_chart((t, 1.0), (t + 1, 2.0), (t + 2, None), (t + 3, 3.0), (t + 4, 4.0)))

    path = ElementTree.fromstring(str(drawn)).find(".//path")
    assert path is not None
    assert path.attrib["d"].count("M") == 2


@pytest.mark.parametrize("value", [0.0, -5.0, 1e-9, 1e12])
def test_constant_lines_of_any_size_are_drawn(value: float) -> None:
    ElementTree.fromstring(str(line_chart(a_chart((0.0, value), (1.0, value)))))


def test_thinning_keeps_every_spike() -> None:
    points = [(float(i), float(i == 54321)) for i in range(100_000)]

    kept = thin(points)

    assert len(kept) <= 1000
    assert max(y for _, y in kept) == 1.0


def test_ticks_enclose_the_values() -> None:
    for low, high in ((0, 1), (-3.2, 8.1), (1e-6, 2e-6), (0, 1e9)):
        ticks = nice_ticks(low, high)

        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert len(ticks) <= 8


def test_time_ticks_are_few_for_any_span() -> None:
    for span in (timedelta(seconds=20), timedelta(hours=7), timedelta(days=400)):
        ticks = time_ticks(START, START + span)

        assert 1 <= len(ticks) <= 7


def test_a_long_edge_runs_through_a_row_of_its_own() -> None:
    found = layout({"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]})

    direct = found.edges["a", "d"]
    assert [column for column, _ in direct] == [0, 1, 2, 3]
    for (_column, row), node in zip(direct[1:3], ("b", "c"), strict=True):
        assert abs(row - found.places[node][1]) >= 1


def test_nodes_of_a_column_stand_apart() -> None:
    fan = {
        "source": [],
        **{f"n{i}": ["source"] for i in range(20)},
        "end": [f"n{i}" for i in range(20)],
    }

    found = layout(fan)

    rows = sorted(row for column, row in found.places.values() if column == 1)
    assert all(b - a >= 0.999 for a, b in itertools.pairwise(rows))


def test_crossings_are_undone() -> None:
    found = layout({"a": [], "b": [], "c": ["b"], "d": ["a"]})

    assert (found.places["a"][1] < found.places["b"][1]) == (
        found.places["d"][1] < found.places["c"][1]
    )


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        layout({"a": ["b"], "b": ["a"]})


def test_a_graph_of_two_hundred_nodes_is_placed_quickly() -> None:
    graph = {f"n{i}": [f"n{j}" for j in (i // 3, i // 2) if j < i] for i in range(200)}

    found = layout({node: list(dict.fromkeys(up)) for node, up in graph.items()})

    assert len(found.places) == 200


def test_a_graph_is_well_formed_and_links_its_steps() -> None:
    nodes = [
        GraphNode(
            id="d", label="rides", detail="version 1", state="data", upstream=[], is_data=True
        ),
        GraphNode(
            id="t", label="train", detail="1.2 s", state="succeeded", upstream=["d"], href="#t"
        ),
    ]

    drawn = graph_picture(nodes, "demand")

    root = ElementTree.fromstring(str(drawn))
    assert [a.attrib["href"] for a in root.iter("a")] == ["#t"]
    assert len(list(root.iter("path"))) == 1


def test_a_heat_map_marks_what_crossed_its_threshold() -> None:
    cells = [
        Heat(score=0.05, threshold=0.2, tip="quiet"),
        None,
        Heat(score=0.9, threshold=0.2, tip="loud"),
    ]

    drawn = heat_map(
        "drift", "Drift", [("temperature", cells)], [START + timedelta(hours=i) for i in range(3)]
    )

    root = ElementTree.fromstring(str(drawn))
    assert len([c for c in root.iter("circle") if c.attrib["class"] == "crossed"]) == 1
    assert "1 over their threshold" in drawn


def test_small_charts_are_well_formed() -> None:
    hour = timedelta(hours=1)
    for drawn in (
        sparkline([1.0, None, 3.0], "error", limit=2.0),
        volume_chart(
            "v",
            "Volume",
            [Volume(start=START, end=START + hour, total=5, part=2)],
            total="answered",
            part="labelled",
        ),
        histogram(
            [Bin(label="0 to 1", share=0.4, before=0.2), Bin(label="missing", share=0.6)], "age"
        ),
        share_bar([(0.95, "share-champion"), (0.05, "share-candidate")], "traffic"),
        span_bar(
            Span(start=START, end=START + hour, state="succeeded"), START, START + hour, "train"
        ),
    ):
        ElementTree.fromstring(str(drawn))
