"""The one door: authorise, open the transaction, run one use case, audit, commit."""

from concurrent.futures import Future
from typing import Any, TypeVar

from mainspring.domain.actor import Actor
from mainspring.domain.request import Request
from mainspring.governance import audit
from mainspring.governance.rules import may
from mainspring.kernel.codec import canonical, to_plain
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Denied, MainspringError, Unavailable
from mainspring.operations.operation import Kind, Operation
from mainspring.operations.reports import Reports
from mainspring.operations.table import BY_REQUEST
from mainspring.store.tx import Store, Tx

T = TypeVar("T")

# A request larger than this is audited by its digest: the log is for reading.
_AUDITED_BYTES = 4096


class Dispatcher:
    """Carries out requests for actors. One per process; safe to use from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reports = Reports(store)

    def call(self, actor: Actor, request: Request[T]) -> T:
        """Carry out a request; what it changes, its events and its audit entry commit together.

        Raises `Denied` if the actor's role lacks the operation's permission, and whatever the use case
        raises. A command that is refused changes nothing but leaves an audit entry of its own.
        """
        operation = BY_REQUEST[type(request)]
        if not may(actor, operation.permission):
            denied = _denied(actor, operation)
            self._audit_refusal(actor, operation, request, denied)
            raise denied
        if operation.kind is Kind.QUERY:
            with self._store.read(actor, operation.name) as tx:
                return _run(operation, tx, request)
        if operation.kind is Kind.REPORT:
            with self._store.write(actor, operation.name, durable=False, in_turn=False) as tx:
                return _run(operation, tx, request)
        return self._command(actor, operation, request)

    def report(self, actor: Actor, request: Request[T]) -> Future[T]:
        """Carry out a report in one transaction with others that come at the same time.

        The answer is there once it is committed. Raises `Unavailable` (code `overloaded`) at once when
        too many wait, and `Denied`; a refusal leaves no audit entry, as reports never do.
        """
        operation = BY_REQUEST[type(request)]
        if operation.kind is not Kind.REPORT:
            raise TypeError(f"{operation.name} is no report")
        if not may(actor, operation.permission):
            raise _denied(actor, operation)
        return self._reports.submit(actor, operation, request)

    def close(self) -> None:
        """Write what was reported, and end."""
        self._reports.close()

    def _command(self, actor: Actor, operation: Operation, request: Request[T]) -> T:
        try:
            with self._store.write(actor, operation.name, durable=operation.durable) as tx:
                result = _run(operation, tx, request)
                audit.append(tx, request=_audited(operation, request), outcome="ok", error=None)
            return result
        except Unavailable:
            # Nothing was decided; the caller tries again.
            raise
        except MainspringError as error:
            self._audit_refusal(actor, operation, request, error)
            raise

    def _audit_refusal(
        self, actor: Actor, operation: Operation, request: Request[Any], error: MainspringError
    ) -> None:
        with self._store.write(actor, operation.name, durable=operation.durable) as tx:
            audit.append(
                tx, request=_audited(operation, request), outcome=error.kind, error=str(error)
            )


def _denied(actor: Actor, operation: Operation) -> Denied:
    return Denied(
        f"{actor} ({actor.role.value}) may not {operation.name}: "
        f"it takes the permission {operation.permission.value!r}",
        hint="Ask an administrator for a token with another role.",
    )


def _run(operation: Operation, tx: Tx, request: Request[T]) -> T:
    result: T = operation.use_case(tx, request)
    return result


def _audited(operation: Operation, request: Request[Any]) -> str:
    plain: dict[str, Any] = to_plain(request)
    for name in operation.secret:
        if name in plain:
            plain[name] = "(secret)"
    text = canonical(plain)
    if len(text) > _AUDITED_BYTES:
        text = canonical({"digest": digest_bytes(text), "size_bytes": len(text)})
    return text.decode()
