"""Templates, filled with escaping always on."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mainspring.ui import format as fmt
from mainspring.ui import links
from mainspring.ui.assets import assets


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to be rendered: its template and what that needs.

    `section` is the entry of the navigation it belongs to. With `refresh_seconds` the page also fetches
    itself anew at that pace, for what has no events: log lines, guard readings, metrics.
    """

    template: str
    title: str
    section: str = ""
    refresh_seconds: float | None = None
    status: int = 200
    # The names a template uses are checked by StrictUndefined and the tests that render every page.
    context: dict[str, Any] = field(default_factory=dict)


@cache
def environment() -> Environment:
    """The one environment of all templates."""
    made = Environment(
        loader=PackageLoader("mainspring.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        number=fmt.number,
        share=fmt.share,
        cell=fmt.cell,
        brief=fmt.brief,
        linked=links.linked,
        signed=fmt.signed,
        size=fmt.size,
        duration=fmt.duration,
        short_id=fmt.short_id,
        moment=fmt.moment,
        short_moment=fmt.short_moment,
    )
    made.globals.update(asset=assets().url, links=links, ago=fmt.ago, between=fmt.between)
    return made


def render(template: str, context: dict[str, Any]) -> str:
    """Fill a template."""
    return environment().get_template(template).render(context)
