"""When the rows of a dataset were so, and when their labels became known."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The columns that tell a table's times: `event_time` of a row, `label_at` of its `labels`.

    `key` are the columns that together name a row.
    """

    event_time: str | None = None
    label_at: str | None = None
    labels: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
