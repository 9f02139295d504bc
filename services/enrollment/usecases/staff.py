"""Staff accounts: who serves, who signs in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis.errors import RateLimited
from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import new_token, token_digest
from services.enrollment import addresses, metrics
from services.enrollment.domain.chains import Language
from services.enrollment.domain.credentials import TokenKind, staff_session_end
from services.enrollment.domain.errors import (
    CredentialsWrong,
    EmailInvalid,
    EmailTaken,
    LimitReached,
    NotFound,
)
from services.enrollment.domain.ids import Actor, ChainId, SessionId, StaffId
from services.enrollment.domain.staff import (
    PASSWORD_LENGTH_MAX,
    STAFF_MAX,
    Role,
    Staff,
    check_may_leave,
    check_password,
)
from services.enrollment.domain.text import read_name
from services.enrollment.storage import audit
from services.enrollment.storage import chains as chain_storage
from services.enrollment.storage import staff as storage
from services.enrollment.usecases.deps import (
    Deps,
    Request,
    address_digest,
    announce_revoked,
    once,
    reading,
)

# Wrong passwords for one address: ten at once, then one every ninety seconds. Nobody is locked
# out for good, and at this pace a ten-character password lasts.
SIGN_IN_BURST = 10
SIGN_IN_PER_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStaff:
    """A staff account to be made; no language stands for the chain's."""

    request: Request
    chain_id: ChainId
    email: str
    name: str
    password: str
    role: Role
    language: Language | None
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A staff session just begun."""

    token: str
    staff: Staff
    expires_at: datetime


async def create_staff(
    deps: Deps, command: CreateStaff, *, answer: Callable[[Staff], bytes]
) -> bytes:
    """Make a staff account. Repeatable by its idempotency key. Locks the chain.

    Refuses with NotFound, EmailInvalid, EmailTaken, NameInvalid, PasswordInvalid, LimitReached.
    """
    now = deps.clock.real_now()
    email = addresses.read_email(command.email, field="email")
    if not email:
        raise EmailInvalid(field="email")
    name = read_name(command.name, field="name")
    check_password(command.password, field="password")
    password_hash = await deps.passwords.hash(command.password)

    async def work(conn: Connection) -> bytes:
        async def make() -> bytes:
            chain = await chain_storage.lock_chain(conn, command.chain_id)
            if chain is None:
                raise NotFound(field="chain_id")
            if await storage.count_staff(conn, chain.id) >= STAFF_MAX:
                raise LimitReached(params={"max": str(STAFF_MAX)})
            staff = Staff(
                id=StaffId(uuid4()),
                chain_id=chain.id,
                email=email,
                name=name,
                role=command.role,
                active=True,
                language=command.language or chain.language,
                created_at=now,
            )
            if not await storage.insert_staff(
                conn,
                staff,
                email_key=addresses.email_key(email),
                password_hash=password_hash,
            ):
                raise EmailTaken(field="email")
            await audit.note(
                conn,
                chain_id=chain.id,
                actor=command.actor,
                action="staff.created",
                subject_id=staff.id,
                detail=staff.role,
            )
            return answer(staff)

        return await once(
            deps,
            conn,
            chain_id=command.chain_id,
            operation="create_staff",
            request=command.request,
            work=make,
        )

    return await in_transaction(deps.pool, work)


async def list_staff(deps: Deps, chain_id: ChainId) -> list[Staff]:
    """The staff of a chain, oldest first. Refuses with NotFound."""
    async with reading(deps) as conn:
        if await chain_storage.get_chain(conn, chain_id) is None:
            raise NotFound(field="chain_id")
        return await storage.list_staff(conn, chain_id, count_max=STAFF_MAX)


async def sign_in_staff(deps: Deps, *, email: str, password: str) -> SignedIn:
    """Begin a staff session (LS-81).

    Takes as long for an unknown address as for a known one, and answers alike for unknown
    address, wrong password and a person who is switched off. A right password starts the count of
    wrong ones afresh. Locks the account.

    Refuses with CredentialsWrong; raises RateLimited, also while Redis is away.
    """
    try:
        address = addresses.read_email(email, field="email")
    except EmailInvalid:
        address = ""
    # An over-long password is wrong, without the work of hashing it.
    given = password if len(password) <= PASSWORD_LENGTH_MAX else ""
    key = addresses.email_key(address)
    async with reading(deps) as conn:
        found = await storage.find_for_sign_in(conn, email_key=key)
    # What is no address has a count of its own too, or one person's typing would stop another's.
    who = key or email[: addresses.EMAIL_LENGTH_MAX]
    since = found.signed_in_at if found else None
    decision = await deps.limiter.allow(
        f"staff-sign-in:{address_digest(deps, f'{who} {since}')}",
        per_seconds=SIGN_IN_PER_SECONDS,
        burst=SIGN_IN_BURST,
        fail_open=False,
    )
    if not decision.allowed:
        metrics.STAFF_SIGN_INS_TOTAL.labels("limited").inc()
        raise RateLimited(decision.retry_after_seconds)
    is_right = await deps.passwords.is_right(given, found.password_hash if found else None)
    if found is None or not is_right or not found.staff.active:
        metrics.STAFF_SIGN_INS_TOTAL.labels("wrong").inc()
        raise CredentialsWrong
    now = deps.clock.real_now()
    token = new_token(TokenKind.STAFF.value)

    async def work(conn: Connection) -> None:
        if not await storage.note_sign_in(conn, found, now=now):
            raise CredentialsWrong
        await storage.insert_session(
            conn,
            session_id=SessionId(uuid4()),
            staff=found.staff,
            token_digest=token_digest(token),
            now=now,
        )

    await in_transaction(deps.pool, work)
    metrics.STAFF_SIGN_INS_TOTAL.labels("right").inc()
    return SignedIn(
        token=token,
        staff=found.staff,
        expires_at=staff_session_end(created_at=now, seen_at=now),
    )


async def set_staff_active(
    deps: Deps, *, chain_id: ChainId, staff_id: StaffId, active: bool, actor: Actor
) -> Staff:
    """Switch a person on, or off with all of their sessions. Repeatable.

    Locks the chain's owners in id order, then the account.
    Refuses with NotFound, LastOwner.
    """
    now = deps.clock.real_now()

    async def work(conn: Connection) -> tuple[Staff, Sequence[bytes]]:
        if not active:
            owners = await storage.lock_active_owners(conn, chain_id)
            check_may_leave(staff_id, active_owners=owners)
        changed = await storage.set_active(
            conn, chain_id=chain_id, staff_id=staff_id, active=active
        )
        if changed is None:
            raise NotFound(field="staff_id")
        staff, differs = changed
        if differs:
            await audit.note(
                conn,
                chain_id=chain_id,
                actor=actor,
                action="staff.activated" if active else "staff.deactivated",
                subject_id=staff_id,
            )
        if active:
            return staff, ()
        ended = await storage.end_sessions(
            conn, chain_id=chain_id, staff_id=staff_id, keep_digest=b"", now=now
        )
        return staff, ended

    staff, ended = await in_transaction(deps.pool, work)
    await announce_revoked(deps, ended)
    return staff


async def set_staff_password(
    deps: Deps,
    *,
    chain_id: ChainId,
    staff_id: StaffId,
    password: str,
    keep_session_token: str,
    actor: Actor,
) -> None:
    """Set a new password and end every session but the one to keep. Locks the account.

    Refuses with NotFound, PasswordInvalid.
    """
    now = deps.clock.real_now()
    check_password(password, field="password")
    password_hash = await deps.passwords.hash(password)
    keep_digest = token_digest(keep_session_token) if keep_session_token else b""

    async def work(conn: Connection) -> Sequence[bytes]:
        if not await storage.set_password(
            conn, chain_id=chain_id, staff_id=staff_id, password_hash=password_hash
        ):
            raise NotFound(field="staff_id")
        await audit.note(
            conn,
            chain_id=chain_id,
            actor=actor,
            action="staff.password_set",
            subject_id=staff_id,
        )
        return await storage.end_sessions(
            conn, chain_id=chain_id, staff_id=staff_id, keep_digest=keep_digest, now=now
        )

    await announce_revoked(deps, await in_transaction(deps.pool, work))
