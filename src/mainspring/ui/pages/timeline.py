"""The newest events, told as decisions."""

from mainspring.domain.event import StoredEvent
from mainspring.governance.requests import ListEvents
from mainspring.ui.reader import Reader
from mainspring.ui.words import DETAIL_TYPES, Names, Told, tell

_PAGES = 6
_PAGE = 200


def decisions(
    reader: Reader, *, service: str | None = None, limit: int = 40, details: bool = False
) -> tuple[Told, ...]:
    """The newest events; those that only make up a decision are left out unless `details`.

    Looks at most at the newest 1,200 events, so that a chatty installation costs no more than a quiet one.
    """
    found: list[StoredEvent] = []
    token = None
    for _ in range(_PAGES):
        page = reader.ask(ListEvents(service=service, page_token=token, limit=_PAGE))
        found += [e for e in page.items if details or _is_decision(e)]
        token = page.next_token
        if len(found) >= limit or token is None:
            break
    return told(reader, found[:limit])


def _is_decision(event: StoredEvent) -> bool:
    # `ChampionChanged` tells of the same change as its alias.
    moves_champion = event.type == "AliasMoved" and event.payload.get("alias") == "champion"
    return event.type not in DETAIL_TYPES and not moves_champion


def told(reader: Reader, found: list[StoredEvent]) -> tuple[Told, ...]:
    """Events in words."""
    names = Names(version=reader.version, dataset_version=reader.dataset_version)
    return tuple(tell(event, names) for event in found)
