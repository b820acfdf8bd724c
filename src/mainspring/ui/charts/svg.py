"""Elements of SVG and HTML, escaped."""

from markupsafe import Markup, escape

Attribute = str | int | float | None


def el(tag: str, *children: str | Markup, **attributes: Attribute) -> Markup:
    """An element. `class_` stands for `class`, `_` in names for `-`; None leaves an attribute out.

    >>> el("text", "a < b", class_="label", x=1.50, text_anchor="end", y=None)
    Markup('<text class="label" x="1.5" text-anchor="end">a &lt; b</text>')
    """
    parts = [
        f' {name.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{''.join(parts)}>{inner}</{tag}>")


def percent(part: float) -> str:
    """A share of the width, as SVG takes it.

    >>> percent(0.125)
    '12.5%'
    """
    return f"{part * 100:.3f}".rstrip("0").rstrip(".") + "%"


def _text(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
