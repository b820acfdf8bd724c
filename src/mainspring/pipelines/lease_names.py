"""What the leases on runs and on single steps are called, and whose they are."""

from mainspring.kernel.digests import digest_bytes

_LONGEST = 200
_SCHEDULER = "scheduler:"


def lease_name(run: str) -> str:
    """The name of the lease on a run."""
    return f"run:{run}"


def step_lease_name(run: str, step: str) -> str:
    """The name of the lease on one step of a run that was handed on.

    >>> step_lease_name("run_1", "train[3]")
    'step:run_1/train[3]'
    """
    name = f"{step_leases(run)}{step}"
    return name if len(name) <= _LONGEST else f"{step_leases(run)}{digest_bytes(name.encode())}"


def step_leases(run: str) -> str:
    """What the names of all leases on steps of a run begin with."""
    return f"step:{run}/"


def holder_for(scheduler: str) -> str:
    """Who holds a run that was handed on."""
    return f"{_SCHEDULER}{scheduler}"


def is_scheduler(holder: str) -> bool:
    """Whether a holder of a run is another scheduler, which carries it out step by step."""
    return holder.startswith(_SCHEDULER)
