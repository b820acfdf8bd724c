"""Which remotes there are."""

from mainspring.blobs.object_store import check_address
from mainspring.datasets import queries, rules
from mainspring.datasets.requests import AddRemote, ListRemotes, RemoveRemote
from mainspring.domain.dataset import Remote
from mainspring.domain.event import RemoteAdded, RemoteRemoved
from mainspring.kernel.errors import NotFound
from mainspring.store.tx import Tx


def add_remote(tx: Tx, request: AddRemote) -> Remote:
    """Keep a remote's address; raises `Invalid` for one that can't be right."""
    rules.check_name(request.name, what="a remote")
    check_address(request.url, request.endpoint)
    remote = Remote(
        name=request.name,
        url=request.url.rstrip("/"),
        endpoint=request.endpoint,
        added_at=tx.now,
        added_by=str(tx.actor),
    )
    queries.keep_remote(tx, remote)
    tx.emit(RemoteAdded(remote=remote.name, url=remote.url, endpoint=remote.endpoint))
    return remote


def list_remotes(tx: Tx, request: ListRemotes) -> tuple[Remote, ...]:
    """Every remote, by name."""
    return tuple(queries.all_remotes(tx))


def remove_remote(tx: Tx, request: RemoveRemote) -> None:
    """Forget a remote; raises `NotFound`."""
    if not queries.forget_remote(tx, request.name):
        raise NotFound(
            f"there is no remote {request.name!r}", hint="`mainspring remote list` lists them."
        )
    tx.emit(RemoteRemoved(remote=request.name))
