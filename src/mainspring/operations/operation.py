"""What an operation is."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, get_args

from mainspring.domain.actor import Permission
from mainspring.domain.request import Request


class Kind(StrEnum):
    """How an operation is carried out."""

    QUERY = "query"
    """Reads only; runs in a snapshot."""
    COMMAND = "command"
    """Changes something; leaves an audit entry, also when it is refused."""
    REPORT = "report"
    """Frequent facts from our own processes (metrics, log lines, heartbeats): no audit entry, no events,
    and a power cut may lose the last of them."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One verb.

    name: `<noun>.<verb>`, as the audit log and clients name it.
    run: `module:function` of the use case `f(tx, request) -> result`, imported when first called, so that
        the table itself loads no database.
    route: HTTP method and path below `/api/v1`; `{fields}` of the request stand in the path, the others in
        the query string (GET) or the JSON body.
    command: words on the command line, then the names of fields given by position; "" keeps it off there.
    durable: whether a commit waits for the disk.
    secret: fields of the request that are never written to the audit log.
    """

    name: str
    request: type[Request[Any]]
    run: str
    permission: Permission
    kind: Kind
    route: str
    command: str = ""
    durable: bool = True
    secret: tuple[str, ...] = field(default=())

    @cached_property
    def use_case(self) -> Callable[..., Any]:
        module, _, function = self.run.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return found

    @cached_property
    def result(self) -> Any:
        """The type of the answer, as the request's class names it."""
        for base in getattr(self.request, "__orig_bases__", ()):
            if arguments := get_args(base):
                return arguments[0]
        raise TypeError(f"{self.request.__name__} does not say what answers it")

    @property
    def method(self) -> str:
        return self.route.split(" ")[0]

    @property
    def path(self) -> str:
        return self.route.split(" ")[1]

    @property
    def summary(self) -> str:
        """The first sentence of the request's docstring."""
        text = (self.request.__doc__ or "").strip()
        return text.split("\n\n")[0].replace("\n", " ")
