"""Sparklines: the shape of a few numbers, in a line of text."""

from collections.abc import Sequence

from markupsafe import Markup

from mainspring.ui import format as fmt
from mainspring.ui.charts.svg import el

_WIDTH, _HEIGHT = 120, 28


def sparkline(values: Sequence[float | None], what: str, limit: float | None = None) -> Markup:
    """A small line from the first to the last value, over a dashed limit if there is one."""
    seen = [v for v in values if v is not None]
    if len(seen) < 2:
        return Markup()
    low = min(*seen, *([limit] if limit is not None else []), 0.0)
    high = max(*seen, *([limit] if limit is not None else [])) or 1.0
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return 2 + (_HEIGHT - 4) * (1 - (value - low) / span)

    step = (_WIDTH - 6) / (len(values) - 1)
    points = [(3 + i * step, y(v)) for i, v in enumerate(values) if v is not None]
    path = "M" + "L".join(f"{x:.1f} {y_:.1f}" for x, y_ in points)
    parts = []
    if limit is not None:
        parts.append(el("line", x1=0, x2=_WIDTH, y1=y(limit), y2=y(limit), class_="line expected"))
    parts.append(el("path", d=path, class_="line s1"))
    parts.append(el("circle", cx=points[-1][0], cy=points[-1][1], r=2.5, class_="dot s1"))
    label = f"{what}: from {fmt.number(seen[0])} to {fmt.number(seen[-1])}"
    return el(
        "svg",
        el("title", label),
        *parts,
        class_="spark",
        width=_WIDTH,
        height=_HEIGHT,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=label,
    )
