"""Pictures of pipelines: the graph of steps, and how long each took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from mainspring.ui import format as fmt
from mainspring.ui.charts.layers import layout
from mainspring.ui.charts.svg import el, percent

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _PAD = 164, 44, 40, 20, 4
_SHRINKABLE = 1300


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """A box: a step, or a dataset that goes in. `state` is how the style sheet draws it."""

    id: str
    label: str
    detail: str
    state: str
    upstream: Sequence[str]
    href: str | None = None
    is_data: bool = False


def graph_picture(nodes: Sequence[GraphNode], title: str) -> Markup:
    """The graph from left to right; boxes are links where there is something to see."""
    placed = layout({node.id: node.upstream for node in nodes})
    width = placed.column_count * (_WIDTH + _GAP_X) - _GAP_X + 2 * _PAD
    height = placed.row_count * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _PAD
    edges = [el("path", d=_edge(points), class_="edge") for points in placed.edges.values()]
    boxes = [_box(node, *_corner(placed.places[node.id])) for node in nodes]
    return el(
        "svg",
        el("title", title),
        *edges,
        *boxes,
        # A picture that is only a little too wide is made smaller; a far wider one is scrolled.
        class_="graph fits" if width < _SHRINKABLE else "graph",
        width=width,
        height=height,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="group",
        aria_label=title,
    )


def _corner(place: tuple[int, float]) -> tuple[float, float]:
    column, row = place
    return _PAD + column * (_WIDTH + _GAP_X), _PAD + row * (_HEIGHT + _GAP_Y)


def _edge(points: Sequence[tuple[int, float]]) -> str:
    """From the right side of the first box through the dummies to the left side of the last."""
    x, y = _corner(points[0])
    path = f"M{x + _WIDTH:.0f} {y + _HEIGHT / 2:.1f}"
    for i, place in enumerate(points[1:], start=1):
        left, y2 = _corner(place)
        y2 += _HEIGHT / 2
        y1 = _corner(points[i - 1])[1] + _HEIGHT / 2
        start, bend = left - _GAP_X, _GAP_X / 2
        path += f"C{start + bend:.0f} {y1:.1f} {left - bend:.0f} {y2:.1f} {left:.0f} {y2:.1f}"
        if i < len(points) - 1:
            path += f"H{left + _WIDTH:.0f}"
    return path


def _box(node: GraphNode, x: float, y: float) -> Markup:
    inner = [
        el("title", f"{node.label}: {node.detail}"),
        el(
            "rect",
            x=x,
            y=y,
            width=_WIDTH,
            height=_HEIGHT,
            rx=_HEIGHT / 2 if node.is_data else 7,
            class_=f"box state-{node.state}",
        ),
        el("circle", cx=x + 18, cy=y + _HEIGHT / 2, r=5, class_=f"bead state-{node.state}"),
        el("text", _cut(node.label, 18), x=x + 32, y=y + 19, class_="name"),
        el("text", _cut(node.detail, 22), x=x + 32, y=y + 34, class_="detail"),
    ]
    if node.href:
        return el("a", *inner, href=node.href, aria_label=f"{node.label}: {node.detail}")
    return el("g", *inner, role="img", aria_label=f"{node.label}: {node.detail}")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When something ran."""

    start: datetime
    end: datetime
    state: str


def span_bar(span: Span, start: datetime, end: datetime, label: str) -> Markup:
    """A bar within [start, end]: one line of a table of durations."""
    whole = (end - start).total_seconds() or 1.0
    x = (span.start - start).total_seconds() / whole
    width = max((span.end - span.start).total_seconds() / whole, 0.004)
    return el(
        "svg",
        el("rect", x=0, y=6, width="100%", height=2, class_="rail"),
        el(
            "rect",
            x=percent(min(x, 0.996)),
            y=2,
            width=percent(width),
            height=10,
            rx=3,
            class_=f"span state-{span.state}",
        ),
        class_="span-bar",
        width="100%",
        height=14,
        role="img",
        aria_label=f"{label} took {fmt.duration((span.end - span.start).total_seconds())}",
    )
