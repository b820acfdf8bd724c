"""The frame around a chart: caption, legend, picture, and its numbers as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mainspring.ui.charts.svg import el


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A chart's numbers, as text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An entry of a legend: the class that draws it and its meaning."""

    class_: str
    label: str


def figure(
    id_: str,
    caption: str,
    picture: Markup,
    table: Table,
    *,
    keys: Sequence[Key] = (),
    note: str = "",
) -> Markup:
    """A chart with everything that belongs to it. `id_` must be its own on the page."""
    parts = [el("figcaption", el("span", caption, class_="chart-title"), _legend(keys))]
    parts.append(picture)
    if note:
        parts.append(el("p", note, class_="chart-note"))
    parts.append(_as_data(id_, caption, table))
    return el("figure", *parts, class_="chart", id=id_)


def picture(
    *children: Markup, height: float, title: str, class_: str = "", width: str = "100%"
) -> Markup:
    """The SVG itself, with a text alternative."""
    return el(
        "svg",
        *children,
        class_=f"plot-frame {class_}".strip(),
        width=width,
        height=height,
        role="img",
        aria_label=title,
    )


def _legend(keys: Sequence[Key]) -> Markup:
    if not keys:
        return Markup()
    entries = [
        el(
            "span",
            el(
                "svg",
                el("line", x1=0, x2=18, y1=6, y2=6, class_=f"line {key.class_}")
                if not key.class_.startswith("fill-")
                else el("rect", x=3, y=0, width=12, height=12, rx=2, class_=key.class_),
                width=18,
                height=12,
                aria_hidden="true",
            ),
            key.label,
            class_="key",
        )
        for key in keys
    ]
    return el("span", *entries, class_="legend")


def _as_data(id_: str, caption: str, table: Table) -> Markup:
    head = el("tr", *(el("th", column, scope="col") for column in table.columns))
    rows = [
        el("tr", el("th", row[0], scope="row"), *(el("td", cell) for cell in row[1:]))
        for row in table.rows
    ]
    return el(
        "details",
        el("summary", "As data", aria_label=f"{caption} as data"),
        el(
            "div",
            el(
                "table",
                el("caption", caption, class_="visually-hidden"),
                el("thead", head),
                el("tbody", *rows),
                class_="data",
            ),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label=f"{caption}: numbers",
        ),
        class_="as-data",
        id=f"{id_}-data",
    )
