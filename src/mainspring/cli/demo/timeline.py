"""The story as the installation itself recorded it: who decided what, when, and why."""

from collections.abc import Iterator

from mainspring.domain.event import StoredEvent

# What is told of a decision, beside its `why`; events not named here are steps on the way.
_TOLD = {
    "SchemaAccepted": "put the schema of {dataset} in force",
    "ServiceApplied": "applied the declaration",
    "DatasetVersionRefused": "delivered {dataset} version {number}: REFUSED, failed {failed_checks}",
    "RunRequested": "asked for a training",
    "RunFinished": "finished the training: {state}",
    "ModelVersionRegistered": "registered version {number}",
    "GatesEvaluated": "judged the candidate: {verdict}",
    "RolloutStarted": "began a {strategy} with {share:.0%} of the traffic",
    "RolloutAdvanced": "gave the candidate {share:.0%} of the traffic",
    "RolloutRolledBack": "ROLLED BACK the candidate",
    "ChampionChanged": "made the candidate CHAMPION",
    "IncidentOpened": "opened an incident",
    "IncidentClosed": "closed the incident",
}

_WIDEST_WHY = 150


def timeline(events: list[StoredEvent]) -> Iterator[str]:
    """One line for each decision, oldest first, with its reason below."""
    for event in events:
        told = _TOLD.get(event.type)
        if told is None:
            continue
        fields = dict(event.payload)
        fields["verdict"] = "passed" if fields.get("passed") else "failed"
        checks = fields.get("failed_checks")
        if isinstance(checks, list):
            fields["failed_checks"] = ", ".join(map(str, checks))
        yield f"{event.at:%H:%M:%S}  {event.actor:<18} {told.format_map(fields)}"
        if event.why:
            why = " ".join(event.why.split())
            yield f"          {why if len(why) <= _WIDEST_WHY else why[: _WIDEST_WHY - 1] + '…'}"
