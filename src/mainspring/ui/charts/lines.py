"""Line charts over time or steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from mainspring.ui import format as fmt
from mainspring.ui.charts.figure import Key, Table, figure, picture
from mainspring.ui.charts.scales import nice_ticks, thin, time_ticks
from mainspring.ui.charts.svg import el, percent

# The room that the style sheet leaves above and below a plot with axes.
_TOP, _BOTTOM = 8, 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line. A point without a value is a gap; `class_` is how the style sheet draws it."""

    name: str
    points: Sequence[tuple[float, float | None]]
    class_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A horizontal line that something should stay under or over."""

    label: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Something that happened at an x."""

    x: float
    label: str
    class_: str = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """What a line chart shows. With `is_time`, x is seconds since 1970."""

    id: str
    title: str
    series: Sequence[Series]
    unit: str = ""
    is_time: bool = True
    x_name: str = "time"
    limits: Sequence[Limit] = ()
    markers: Sequence[Marker] = ()
    height: int = 200
    from_zero: bool = True
    note: str = ""


def line_chart(chart: LineChart) -> Markup:
    """Draw a line chart; without any point, say so."""
    values = [y for s in chart.series for _, y in s.points if y is not None]
    xs = sorted({x for s in chart.series for x, _ in s.points})
    if not values or not xs:
        return el("p", f"{chart.title}: nothing measured yet.", class_="empty-chart", id=chart.id)
    frame = _Frame(chart, xs, values)
    inner = [
        *frame.grid(),
        frame.lines(),
        *frame.limits(),
        *frame.markers(),
        *frame.dots(),
        *frame.x_labels(),
        *frame.hits(xs),
    ]
    drawn = picture(
        *frame.y_labels(),
        el("svg", *inner, class_="plot", width="100%", height=frame.height),
        height=chart.height,
        title=_describe(chart, values),
        class_="axes",
    )
    # A single line is named by the title.
    named = chart.series if len(chart.series) > 1 else ()
    keys = [Key(class_=s.class_, label=s.name) for s in named if _has_points(s)]
    keys += [Key(class_="limit", label=limit.label) for limit in chart.limits]
    return figure(chart.id, chart.title, drawn, _table(chart, xs), keys=keys, note=chart.note)


class _Frame:
    """Scales of one chart, and its parts drawn in them."""

    def __init__(self, chart: LineChart, xs: list[float], values: list[float]) -> None:
        self.chart = chart
        self.height = chart.height - _TOP - _BOTTOM
        self.x0, self.x1 = xs[0], xs[-1]
        shown = values + [limit.value for limit in chart.limits]
        low = min(0.0, *shown) if chart.from_zero else min(shown)
        self.ticks = nice_ticks(low, max(shown))
        self.y0, self.y1 = self.ticks[0], self.ticks[-1]

    def x(self, value: float) -> float:
        return (value - self.x0) / (self.x1 - self.x0) if self.x1 > self.x0 else 0.5

    def y(self, value: float) -> float:
        return self.height * (1 - (value - self.y0) / (self.y1 - self.y0))

    def grid(self) -> list[Markup]:
        return [
            el("line", x1=0, x2="100%", y1=self.y(t), y2=self.y(t), class_="gridline")
            for t in self.ticks
        ]

    def y_labels(self) -> list[Markup]:
        return [
            el("text", fmt.compact(t), x=-8, y=self.y(t) + 4, class_="tick y") for t in self.ticks
        ]

    def x_labels(self) -> list[Markup]:
        y = self.height + 17
        return [
            el(
                "text",
                label,
                x=percent(self.x(at)),
                y=y,
                class_="tick"
                + (" first" if self.x(at) < 0.06 else " last" if self.x(at) > 0.94 else ""),
            )
            for at, label in self._x_ticks()
        ]

    def _x_ticks(self) -> list[tuple[float, str]]:
        if self.chart.is_time:
            start = datetime.fromtimestamp(self.x0, UTC)
            end = datetime.fromtimestamp(self.x1, UTC)
            return [(at.timestamp(), label) for at, label in time_ticks(start, end)]
        # Steps and versions are whole numbers; there is nothing between two of them.
        ticks = [t for t in nice_ticks(self.x0, self.x1, 6) if t == round(t)]
        return [(t, fmt.compact(t)) for t in ticks if self.x0 <= t <= self.x1]

    def lines(self) -> Markup:
        paths = [
            el("path", d=path, class_=f"line {series.class_}")
            for series in self.chart.series
            if (path := self._path(series))
        ]
        return el(
            "svg",
            *paths,
            viewBox=f"0 0 1000 {self.height}",
            preserveAspectRatio="none",
            width="100%",
            height=self.height,
            class_="stretch",
        )

    def _path(self, series: Series) -> str:
        commands = []
        for run in _runs(series.points):
            points = thin(run)
            if len(points) > 1:
                at = [f"{self.x(x) * 1000:.1f} {self.y(y):.1f}" for x, y in points]
                commands.append("M" + "L".join(at))
        return "".join(commands)

    def dots(self) -> list[Markup]:
        """Single points between gaps, and all points of a short series."""
        found = []
        for series in self.chart.series:
            for run in _runs(series.points):
                if len(run) == 1 or len(series.points) <= 12:
                    found += [
                        el(
                            "circle",
                            cx=percent(self.x(x)),
                            cy=self.y(y),
                            r=3,
                            class_=f"dot {series.class_}",
                        )
                        for x, y in run
                    ]
        return found

    def limits(self) -> list[Markup]:
        return [
            el(
                "line",
                x1=0,
                x2="100%",
                y1=self.y(limit.value),
                y2=self.y(limit.value),
                class_="line limit",
            )
            for limit in self.chart.limits
        ]

    def markers(self) -> list[Markup]:
        return [
            el(
                "g",
                el("title", marker.label),
                el("line", x1=at, x2=at, y1=0, y2=self.height, class_=f"marker {marker.class_}"),
                el("circle", cx=at, cy=0, r=4, class_=f"marker-head {marker.class_}"),
            )
            for marker in self.chart.markers
            if self.x0 <= marker.x <= self.x1
            for at in (percent(self.x(marker.x)),)
        ]

    def hits(self, xs: list[float]) -> list[Markup]:
        """Invisible strips, one for each x, that tell the values there."""
        if len(xs) > 400:
            return []
        found = []
        lookup = [(s.name, dict(s.points)) for s in self.chart.series]
        for i, x in enumerate(xs):
            left = self.x((xs[i - 1] + x) / 2) if i else 0.0
            right = self.x((x + xs[i + 1]) / 2) if i + 1 < len(xs) else 1.0
            lines = [x_text(self.chart, x)]
            for name, values in lookup:
                if (value := values.get(x)) is not None:
                    lines.append(f"{name}: {fmt.number(value)}{_unit(self.chart)}")
            found.append(
                el(
                    "rect",
                    x=percent(left),
                    width=percent(max(right - left, 0.0)),
                    y=0,
                    height=self.height,
                    class_="hit",
                    data_tip="\n".join(lines),
                    data_x=percent(self.x(x)),
                )
            )
        return found


def x_text(chart: LineChart, x: float) -> str:
    """An x as it stands in tables and hints."""
    if chart.is_time:
        return datetime.fromtimestamp(x, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{chart.x_name} {fmt.number(x, 6)}"


def _unit(chart: LineChart) -> str:
    return f" {chart.unit}" if chart.unit else ""


def _runs(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [run for run in runs if run]


def _has_points(series: Series) -> bool:
    return any(y is not None for _, y in series.points)


def _table(chart: LineChart, xs: list[float]) -> Table:
    # A long history is thinned here as well: a browser chokes on tables of 25,000 rows.
    step = max(1, len(xs) // 400)
    lookup = [dict(s.points) for s in chart.series]
    rows = [
        [x_text(chart, x), *(fmt.number(values.get(x)) for values in lookup)] for x in xs[::step]
    ]
    return Table(columns=[chart.x_name, *(s.name for s in chart.series)], rows=rows)


def _describe(chart: LineChart, values: list[float]) -> str:
    parts = []
    for series in chart.series:
        seen = [y for _, y in series.points if y is not None]
        if seen:
            parts.append(f"{series.name} from {fmt.number(seen[0])} to {fmt.number(seen[-1])}")
    return f"{chart.title}{': ' if parts else ''}{'; '.join(parts)}{_unit(chart)}"
