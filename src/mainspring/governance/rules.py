"""Which role may do what."""

from mainspring.domain.actor import Actor, Permission, Role

_VIEWER = frozenset({Permission.READ})
_AUTHOR = _VIEWER | {Permission.TRACK, Permission.ADD_DATA, Permission.RUN, Permission.REGISTER}
_OPERATOR = _AUTHOR | {
    Permission.PROMOTE,
    Permission.DEPLOY,
    Permission.CONFIGURE,
    Permission.OPERATE,
}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.AUTHOR: _AUTHOR,
    Role.APPROVER: _VIEWER | {Permission.APPROVE},
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}


def may(actor: Actor, permission: Permission) -> bool:
    """Whether an actor's role includes a permission.

    >>> from mainspring.domain.actor import ActorKind
    >>> loop = Actor(kind=ActorKind.LOOP, name="rollout", role=Role.OPERATOR)
    >>> may(loop, Permission.DEPLOY), may(loop, Permission.APPROVE)
    (True, False)
    """
    return permission in PERMISSIONS[actor.role]
