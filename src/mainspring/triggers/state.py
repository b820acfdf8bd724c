"""What is known of a trigger, for the use cases."""

from mainspring.domain.trigger import Trigger
from mainspring.kernel.errors import NotFound
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.plan import Seen


def trigger_of(tx: Tx, name: str, *, locked: bool = False) -> Trigger:
    """The trigger of that name, for other use cases; raises `NotFound`."""
    found = queries.trigger(tx, name, locked=locked)
    if found is None:
        raise NotFound(
            f"there is no trigger {name!r}",
            code="no_such_trigger",
            hint="`mainspring triggers list` shows them.",
        )
    return found


def seen_of(tx: Tx, trigger: Trigger) -> Seen:
    """What a trigger's decision is made from."""
    name = trigger.spec.name
    return Seen(
        spec=trigger.spec,
        applied_at=trigger.applied_at,
        paused=trigger.paused,
        waiting=queries.waiting(tx, name),
        under_way=queries.runs_under_way(tx, name),
        ended_at=queries.last_end(tx, name),
        asked=queries.asked_at(tx, name, max(1, trigger.spec.budget_runs or 1)),
    )
