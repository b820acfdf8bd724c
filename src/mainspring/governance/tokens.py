"""Tokens: random secrets, of which only the digest is kept."""

import secrets

from mainspring.domain.actor import Actor, ActorKind
from mainspring.domain.event import TokenIssued, TokenRevoked
from mainspring.governance import queries
from mainspring.governance.requests import IssuedToken, IssueToken, ListTokens, RevokeToken, Token
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Denied, NotFound
from mainspring.store.tx import Tx

_PREFIX = "ms_"


def issue_token(tx: Tx, request: IssueToken) -> IssuedToken:
    """Make a token of 256 random bits; a slow hash would add nothing to them."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id=tx.new_id("tok"),
        name=request.name,
        role=request.role,
        created_at=tx.now,
        expires_at=request.expires_at,
        revoked_at=None,
    )
    queries.add_token(
        tx,
        id_=token.id,
        name=token.name,
        role=token.role,
        secret_digest=digest_bytes(secret.encode()),
        expires_at=token.expires_at,
    )
    tx.emit(TokenIssued(token=token.id, name=token.name, role=token.role.value))
    return IssuedToken(token=token, secret=secret)


def list_tokens(tx: Tx, request: ListTokens) -> tuple[Token, ...]:
    """Every token, without secrets."""
    return tuple(queries.list_tokens(tx))


def revoke_token(tx: Tx, request: RevokeToken) -> None:
    """Make a token worthless; revoking it again changes nothing."""
    if not queries.revoke_token(tx, request.id):
        raise NotFound(
            f"there is no token {request.id!r}", hint="`mainspring token list` shows them."
        )
    tx.emit(TokenRevoked(token=request.id))


def authenticate(tx: Tx, secret: str) -> Actor:
    """The actor behind a secret; raises `Denied` (code `bad_token`)."""
    token = queries.token_by_digest(tx, digest_bytes(secret.encode()))
    if token is None or token.revoked_at or (token.expires_at and token.expires_at <= tx.now):
        raise Denied(
            "this token is unknown, expired or revoked",
            code="bad_token",
            hint="Ask an administrator for a new one (`mainspring token issue`).",
        )
    return Actor(kind=ActorKind.PERSON, name=token.name, role=token.role)
