"""Heat maps: features by windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from mainspring.ui import format as fmt
from mainspring.ui.charts.figure import Table, figure, picture
from mainspring.ui.charts.scales import time_ticks
from mainspring.ui.charts.svg import el, percent

_ROW, _BOTTOM = 22, 22
_LEVELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One cell: a score against its threshold, and words about it."""

    score: float
    threshold: float
    tip: str

    @property
    def level(self) -> int:
        """0 (as ever) to 6; from 4 on the threshold is crossed."""
        if self.threshold <= 0:
            return 0
        part = self.score / self.threshold
        if part < 1:
            return min(3, int(part * 4))
        return 4 if part < 2 else 5 if part < 4 else _LEVELS


def heat_map(
    id_: str,
    title: str,
    rows: Sequence[tuple[str, Sequence[Heat | None]]],
    starts: Sequence[datetime],
    *,
    note: str = "",
) -> Markup:
    """Rows of cells over time; a crossed threshold is marked by a dot as well as by colour."""
    if not rows or not starts:
        return el("p", f"{title}: no window has been judged yet.", class_="empty-chart", id=id_)
    height = len(rows) * _ROW
    width = 1 / len(starts)
    inner, labels = [], []
    for i, (name, cells) in enumerate(rows):
        y = i * _ROW
        labels.append(
            el(
                "text",
                el("title", name),
                name if len(name) <= 18 else name[:17] + "…",
                x=-8,
                y=y + 15,
                class_="tick y name",
            )
        )
        for j, cell in enumerate(cells):
            inner += _cell(cell, j * width, y, width)
    inner += _time_axis(starts, width, height)
    crossed = sum(1 for _, cells in rows for c in cells if c and c.level >= 4)
    drawn = picture(
        *labels,
        el("svg", *inner, class_="plot", width="100%", height=height),
        height=height + _BOTTOM,
        title=f"{title}: {len(rows)} features in {len(starts)} windows, {crossed} over their threshold",
        class_="heat",
    )
    table = Table(
        columns=["window", *(name for name, _ in rows)],
        rows=[
            [
                fmt.moment(start),
                *(fmt.number(c.score, 3) if (c := cells[j]) else "–" for _, cells in rows),
            ]
            for j, start in enumerate(starts)
        ],
    )
    return figure(id_, title, drawn, table, note=note)


def _cell(cell: Heat | None, x: float, y: float, width: float) -> list[Markup]:
    if cell is None:
        return []
    parts = [
        el(
            "rect",
            x=percent(x),
            width=percent(width),
            y=y + 1,
            height=_ROW - 2,
            class_=f"cell heat-{cell.level}",
        )
    ]
    if cell.level >= 4:
        parts.append(
            el("circle", cx=percent(x + width / 2), cy=y + _ROW / 2, r=2, class_="crossed")
        )
    parts.append(
        el(
            "rect",
            x=percent(x),
            width=percent(width),
            y=y,
            height=_ROW,
            class_="hit",
            data_tip=cell.tip,
        )
    )
    return parts


def _time_axis(starts: Sequence[datetime], width: float, height: float) -> list[Markup]:
    if len(starts) < 2:
        return [el("text", fmt.short_moment(starts[0]), x=0, y=height + 17, class_="tick first")]
    found = []
    for at, label in time_ticks(starts[0], starts[-1]):
        # Windows may be missing in between: a tick stands at the first window from its time on.
        index = next((i for i, start in enumerate(starts) if start >= at), None)
        if index is not None:
            x = (index + 0.5) * width
            edge = " first" if x < 0.06 else " last" if x > 0.94 else ""
            found.append(el("text", label, x=percent(x), y=height + 17, class_="tick" + edge))
    return found
