"""Keeping experiments from elsewhere."""

from mainspring.domain.event import TrackingChanged
from mainspring.store.tx import Tx
from mainspring.takeover.queries import tracking as queries
from mainspring.takeover.requests import TakenOver, TakeOverExperiment
from mainspring.tracking import rules
from mainspring.tracking.queries.experiments import ensure_default_experiment, experiment_named


def take_over_experiment(tx: Tx, request: TakeOverExperiment) -> TakenOver:
    """Keep an experiment; of two with the same name the one that is here gets the other's tags and runs."""
    given = request.experiment
    rules.check_length("name", given.name, rules.MAX_NAME)
    rules.check_length("experiment_id", given.id, 64)
    ensure_default_experiment(tx)
    here = experiment_named(tx, given.name)
    if here is not None:
        queries.add_experiment_tags(tx, here.id, given.tags)
        return TakenOver(id=here.id, is_new=False)
    id_ = tx.new_id("exp") if queries.has_experiment(tx, given.id) else given.id
    queries.add_experiment(tx, id_, given)
    queries.add_experiment_tags(tx, id_, given.tags)
    tx.emit(TrackingChanged(id=id_, what="experiment taken over", why=f"named {given.name!r}"))
    return TakenOver(id=id_, is_new=True)
