"""Who does something: a person, one of our loops, or a program with a token."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    PERSON = "person"
    LOOP = "loop"
    SERVICE = "service"


class Role(StrEnum):
    """A named set of permissions; `governance/rules.py` says which."""

    VIEWER = "viewer"
    AUTHOR = "author"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What an operation asks of its actor."""

    READ = "read"
    TRACK = "track"
    ADD_DATA = "add-data"
    RUN = "run"
    REGISTER = "register"
    PROMOTE = "promote"
    DEPLOY = "deploy"
    APPROVE = "approve"
    CONFIGURE = "configure"
    OPERATE = "operate"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The one who asks, as the audit log names them."""

    kind: ActorKind
    name: str
    role: Role

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"
