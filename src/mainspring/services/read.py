"""Reading declarations."""

from mainspring.domain.service import Service
from mainspring.kernel.errors import NotFound
from mainspring.services import queries
from mainspring.services.requests import GetService, ListServices
from mainspring.store.tx import Tx


def list_services(tx: Tx, request: ListServices) -> tuple[Service, ...]:
    """Every declared service, by name."""
    return tuple(queries.all_services(tx))


def get_service(tx: Tx, request: GetService) -> Service:
    """One declared service; raises `NotFound`."""
    return service_named(tx, request.name)


def service_named(tx: Tx, name: str) -> Service:
    """The service of that name, for other use cases; raises `NotFound`."""
    found = queries.service(tx, name)
    if found is None:
        raise NotFound(
            f"there is no service {name!r}",
            hint="`mainspring status` lists the services; `mainspring apply` declares them.",
        )
    return found
