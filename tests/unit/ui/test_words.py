from datetime import UTC, datetime

import pytest

from mainspring.domain.event import Event, StoredEvent
from mainspring.testing.examples import an_example
from mainspring.ui.words import TYPES, Names, tell

NAMES = Names(version=lambda id_: None, dataset_version=lambda id_: None)


def stored(type_: str, **payload: object) -> StoredEvent:
    return StoredEvent(
        seq=1,
        id="evt_1",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        type=type_,
        service="demand",
        subject="x",
        actor="loop:training",
        operation="x.y",
        why="because",
        payload=payload,
    )


@pytest.mark.parametrize("type_", TYPES.values(), ids=TYPES)
def test_every_event_has_a_sentence_of_its_own(type_: type[Event]) -> None:
    told = tell(stored(type_.__name__, **an_example(type_)), NAMES)

    spelt = tell(stored("Not" + type_.__name__), NAMES).sentence.removeprefix("not ")
    assert told.sentence
    assert told.sentence != spelt, "it is told by its name only"


def test_an_event_of_a_later_version_is_told_by_its_name() -> None:
    assert tell(stored("SomethingNewHappened"), NAMES).sentence == "something new happened"


def test_an_event_with_other_fields_is_told_by_its_name() -> None:
    told = tell(stored("ChampionChanged", other="x"), NAMES)

    assert told.sentence == "champion changed"
    assert told.evidence == (("other", ("x",)),)


def test_names_in_sentences_are_escaped() -> None:
    told = tell(stored("ServicePaused", name="<b>x"), NAMES)

    assert "<b>" not in told.sentence
