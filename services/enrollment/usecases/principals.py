"""Who is calling, and how a session ends."""

from __future__ import annotations

from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import token_digest
from services.enrollment.domain.credentials import (
    KEY_USED_EVERY,
    MEMBER_SEEN_EVERY,
    MEMBER_SESSION_LIFETIME,
    STAFF_SEEN_EVERY,
    STAFF_SESSION_IDLE,
    STAFF_SESSION_LIFETIME,
    Principal,
    TokenKind,
    kind_of,
)
from services.enrollment.domain.errors import SessionSuperseded, Unauthenticated
from services.enrollment.storage import member_sessions, principals
from services.enrollment.storage import staff as staff_storage
from services.enrollment.storage.principals import Seen
from services.enrollment.usecases.deps import Deps, announce_revoked, reading


async def authenticate(deps: Deps, token: str) -> Principal:
    """Turn a bearer token into who it speaks for: one indexed query.

    Now and then a second one writes down that the token was used, which also keeps a session
    alive. Refuses with SessionSuperseded a session that ended because her address was proven
    elsewhere, so that her phone can say so; with Unauthenticated: unknown, expired, ended and
    revoked all alike.
    """
    kind = kind_of(token)
    if kind is None:
        raise Unauthenticated
    digest = token_digest(token)
    async with reading(deps) as conn:
        seen = await _find(deps, conn, kind, digest)
        if seen is None:
            if kind is TokenKind.MEMBER and await member_sessions.was_superseded(conn, digest):
                raise SessionSuperseded
            raise Unauthenticated
        await _note(deps, conn, kind, digest, seen)
    return seen.principal


async def _find(deps: Deps, conn: Connection, kind: TokenKind, digest: bytes) -> Seen | None:
    now = deps.clock.real_now()
    match kind:
        case TokenKind.MEMBER:
            return await principals.find_member(conn, token_digest=digest, now=now)
        case TokenKind.STAFF:
            return await principals.find_staff(
                conn,
                token_digest=digest,
                seen_after=now - STAFF_SESSION_IDLE,
                created_after=now - STAFF_SESSION_LIFETIME,
            )
        case TokenKind.TABLET:
            return await principals.find_tablet(conn, token_digest=digest)
        case TokenKind.API_KEY:
            return await principals.find_api_key(conn, token_digest=digest)


async def _note(deps: Deps, conn: Connection, kind: TokenKind, digest: bytes, seen: Seen) -> None:
    """Write down that a token was used, when that was not written down lately."""
    now = deps.clock.real_now()
    every = {
        TokenKind.MEMBER: MEMBER_SEEN_EVERY,
        TokenKind.STAFF: STAFF_SEEN_EVERY,
        TokenKind.API_KEY: KEY_USED_EVERY,
    }.get(kind)
    if every is None or (seen.seen_at is not None and seen.seen_at > now - every):
        return
    if kind is TokenKind.MEMBER:
        await principals.note_member_seen(
            conn,
            token_digest=digest,
            now=now,
            seen_before=now - every,
            expires_at=now + MEMBER_SESSION_LIFETIME,
        )
    elif kind is TokenKind.STAFF:
        await principals.note_staff_seen(
            conn, token_digest=digest, now=now, seen_before=now - every
        )
    else:
        await principals.note_key_used(conn, token_digest=digest, now=now, used_before=now - every)


async def sign_out(deps: Deps, token: str) -> None:
    """End the session of this token, if it is one. Repeatable: a dead token is signed out too."""
    kind = kind_of(token)
    if kind not in (TokenKind.MEMBER, TokenKind.STAFF):
        return
    digest = token_digest(token)
    now = deps.clock.real_now()

    async def work(conn: Connection) -> bool:
        if kind is TokenKind.MEMBER:
            return await member_sessions.end_session(conn, token_digest=digest, now=now)
        return await staff_storage.end_session(conn, token_digest=digest, now=now)

    if await in_transaction(deps.pool, work):
        await announce_revoked(deps, [digest])
