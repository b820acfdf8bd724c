"""Every error that Mainspring raises on purpose.

    MainspringError
    ├── NotFound       there is no such thing
    ├── Conflict       it exists already, changed meanwhile, or is in the wrong state
    ├── Invalid        the request, file or value can't be right
    ├── Denied         this actor may not do that
    ├── Rejected       a gate, check or policy said no
    ├── Unavailable    not now; trying again may work
    └── Corrupt        stored bytes are not what was stored

A message says what happened, with which value, and what to do next. `code` is stable: programs match
on it, edges turn it into an HTTP status, an MLflow error code or an exit status in one table each.
"""

from typing import ClassVar


class MainspringError(Exception):
    """The root of the tree; never raised itself.

    `hint` says what to do next; `where` says where in the input ("mainspring.toml:12", "$.inputs[0]").
    """

    kind: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, code: str = "", hint: str | None = None, where: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.kind
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head}\n  {self.hint}" if self.hint else head


class NotFound(MainspringError):
    """There is no such thing."""

    kind = "not_found"


class Conflict(MainspringError):
    """It exists already, changed meanwhile, or is in the wrong state for this."""

    kind = "conflict"


class Invalid(MainspringError):
    """The request, file or value can't be right, whatever the state of the store."""

    kind = "invalid"


class Denied(MainspringError):
    """This actor may not do that."""

    kind = "denied"


class Rejected(MainspringError):
    """A gate, check or policy said no."""

    kind = "rejected"


class Unavailable(MainspringError):
    """Not now; trying again may work. Loops retry this error and no other."""

    kind = "unavailable"


class Corrupt(MainspringError):
    """Stored bytes are not what was stored."""

    kind = "corrupt"


KINDS: dict[str, type[MainspringError]] = {
    error.kind: error
    for error in (NotFound, Conflict, Invalid, Denied, Rejected, Unavailable, Corrupt)
}
