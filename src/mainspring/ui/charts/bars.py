"""Bars: volumes over time, and histograms of columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from mainspring.ui import format as fmt
from mainspring.ui.charts.figure import Key, Table, figure, picture
from mainspring.ui.charts.scales import nice_ticks, time_ticks
from mainspring.ui.charts.svg import el, percent

# The room that the style sheet leaves above and below a plot with axes.
_TOP, _BOTTOM = 8, 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How much there was in a span of time, and how much of it was of a special kind."""

    start: datetime
    end: datetime
    total: int
    part: int


def volume_chart(
    id_: str, title: str, bars: Sequence[Volume], *, total: str, part: str, height: int = 140
) -> Markup:
    """Bars over time; the darker part of each is `part` of `total`."""
    if not bars:
        return el("p", f"{title}: nothing yet.", class_="empty-chart", id=id_)
    inner_height = height - _TOP - _BOTTOM
    ticks = nice_ticks(0, max(1, *(bar.total for bar in bars)), 3)
    start, end = bars[0].start, max(bar.end for bar in bars)
    span = (end - start).total_seconds() or 1.0

    def y(value: float) -> float:
        return inner_height * (1 - value / ticks[-1])

    inner = [el("line", x1=0, x2="100%", y1=y(t), y2=y(t), class_="gridline") for t in ticks]
    for bar in bars:
        x = (bar.start - start).total_seconds() / span
        width = (bar.end - bar.start).total_seconds() / span * 0.86
        for value, class_ in ((bar.total, "fill-total"), (bar.part, "fill-part")):
            inner.append(
                el(
                    "rect",
                    x=percent(x),
                    width=percent(width),
                    y=y(value),
                    height=inner_height - y(value),
                    class_=class_,
                )
            )
        tip = f"{fmt.short_moment(bar.start)} UTC\n{total}: {bar.total:,}\n{part}: {bar.part:,}"
        inner.append(
            el(
                "rect",
                x=percent(x),
                width=percent(width / 0.86),
                y=0,
                height=inner_height,
                class_="hit",
                data_tip=tip,
            )
        )
    for at, label in time_ticks(start, end):
        share = (at - start).total_seconds() / span
        edge = " first" if share < 0.06 else " last" if share > 0.94 else ""
        inner.append(el("text", label, x=percent(share), y=inner_height + 17, class_="tick" + edge))
    labels = [el("text", fmt.compact(t), x=-8, y=y(t) + 4, class_="tick y") for t in ticks]
    count = sum(bar.total for bar in bars)
    drawn = picture(
        *labels,
        el("svg", *inner, class_="plot", width="100%", height=inner_height),
        height=height,
        title=f"{title}: {count:,} {total} in {len(bars)} windows",
        class_="axes",
    )
    table = Table(
        columns=["window", total, part],
        rows=[[fmt.moment(b.start), f"{b.total:,}", f"{b.part:,}"] for b in bars],
    )
    keys = (Key(class_="fill-total", label=total), Key(class_="fill-part", label=part))
    return figure(id_, title, drawn, table, keys=keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a histogram: its name, its share of the rows, and the share before."""

    label: str
    share: float
    before: float | None = None


def histogram(bins: Sequence[Bin], what: str, *, height: int = 56) -> Markup:
    """A small histogram; outlines show the shares of the version before."""
    if not bins:
        return Markup()
    top = max(max(b.share, b.before or 0.0) for b in bins) or 1.0
    width = 1 / len(bins)
    parts = []
    for i, b in enumerate(bins):
        tall = b.share / top * (height - 2)
        parts.append(
            el(
                "rect",
                x=percent(i * width + width * 0.06),
                width=percent(width * 0.88),
                y=height - tall,
                height=tall,
                class_="fill-bin",
            )
        )
        if b.before is not None:
            tall = b.before / top * (height - 2)
            parts.append(
                el(
                    "rect",
                    x=percent(i * width + width * 0.06),
                    width=percent(width * 0.88),
                    y=height - tall,
                    height=tall,
                    class_="outline-before",
                )
            )
        tip = f"{b.label}\n{fmt.share(b.share)}"
        if b.before is not None:
            tip += f"\nbefore: {fmt.share(b.before)}"
        parts.append(
            el(
                "rect",
                x=percent(i * width),
                width=percent(width),
                y=0,
                height=height,
                class_="hit",
                data_tip=tip,
            )
        )
    largest = max(bins, key=lambda b: b.share)
    return picture(
        *parts,
        height=height,
        title=f"{what} in {len(bins)} bins; most rows ({fmt.share(largest.share)}) in {largest.label}",
        class_="histogram",
    )


def share_bar(parts: Sequence[tuple[float, str]], title: str) -> Markup:
    """One bar cut into shares of a whole, such as a traffic split."""
    drawn, x = [], 0.0
    for part, class_ in parts:
        if part > 0:
            drawn.append(
                el("rect", x=percent(x), width=percent(part), y=0, height=10, class_=class_)
            )
        x += part
    return picture(*drawn, height=10, title=title, class_="share-bar")
