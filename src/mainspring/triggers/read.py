"""Reading triggers, how they are, and what happened for them."""

from mainspring.domain.trigger import Cause, Trigger, TriggerStatus
from mainspring.kernel.paging import Page, key_of, token_of
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.collect import has_news
from mainspring.triggers.plan import Fire, decide
from mainspring.triggers.requests import GetTrigger, ListCauses, ListTriggers
from mainspring.triggers.state import seen_of, trigger_of


def list_triggers(tx: Tx, request: ListTriggers) -> tuple[TriggerStatus, ...]:
    """Every trigger, by name."""
    return tuple(_status(tx, trigger) for trigger in queries.all_triggers(tx))


def get_trigger(tx: Tx, request: GetTrigger) -> TriggerStatus:
    """One trigger; raises `NotFound`."""
    return _status(tx, trigger_of(tx, request.name))


def list_causes(tx: Tx, request: ListCauses) -> Page[Cause]:
    """What happened, newest first."""
    found = queries.list_causes(
        tx,
        trigger=request.trigger,
        run=request.run,
        state=request.state,
        before=int(str(key_of(request.page_token)[0])) if request.page_token else None,
        limit=request.limit + 1,
    )
    page = found[: request.limit]
    more = len(found) > request.limit
    return Page(items=page, next_token=token_of([page[-1].id]) if more else None)


def _status(tx: Tx, trigger: Trigger) -> TriggerStatus:
    seen = seen_of(tx, trigger)
    decision = decide(seen, tx.now)
    times = [schedule.next_after(tx.now) for schedule in trigger.spec.schedules]
    is_due = isinstance(decision, Fire)
    return TriggerStatus(
        trigger=trigger,
        waiting=seen.waiting.count if seen.waiting else 0,
        is_due=is_due,
        has_news=has_news(tx, trigger),
        why_not=None if isinstance(decision, Fire) else decision.why,
        until=None if isinstance(decision, Fire) else decision.until,
        last_run=queries.last_run(tx, trigger.spec.name),
        next_time=min(times, default=None),
    )
