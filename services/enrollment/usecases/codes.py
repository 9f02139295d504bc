"""One-time codes: a member proves that a phone or an e-mail address is hers (D34)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from services.chassis import outbox
from services.chassis.errors import RateLimited
from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import token_digest
from services.enrollment import addresses, events, metrics
from services.enrollment.domain import codes as rules
from services.enrollment.domain.chains import Chain, Language
from services.enrollment.domain.codes import Challenge
from services.enrollment.domain.credentials import MEMBER_SESSION_LIFETIME, TokenKind, kind_of
from services.enrollment.domain.errors import AddressRequired, CodeWrong, NotFound
from services.enrollment.domain.ids import Actor, ActorKind, ChainId, ChallengeId, MemberId
from services.enrollment.domain.members import (
    Changes,
    Channel,
    Member,
    changed_member,
    verified_member,
)
from services.enrollment.domain.search import keys_of
from services.enrollment.storage import chains as chain_storage
from services.enrollment.storage import codes as storage
from services.enrollment.storage import member_sessions
from services.enrollment.storage import members as member_storage
from services.enrollment.usecases.deps import Deps, address_digest, announce_revoked, reading
from services.enrollment.usecases.members import note_address_changes, start_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many codes at once, and as many per span for good."""

    name: str
    burst: int
    per_seconds: float


# A text costs money and wakes people up.
ADDRESS_LIMITS = (
    Limit(name="soon", burst=1, per_seconds=30),
    Limit(name="hour", burst=5, per_seconds=3600),
)
# What all strangers together may spend of one chain's money.
CHAIN_LIMIT = Limit(name="chain", burst=600, per_seconds=3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCode:
    """An address, as typed, to which a code shall go; the phone when both are given."""

    chain_id: ChainId
    phone: str
    email: str
    language: Language | None
    # A verified member who wishes to add the address to hers.
    adder_id: MemberId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """The same whether or not anybody has that address."""

    challenge_id: ChallengeId
    channel: Channel
    masked_address: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A member who has proven an address, and her session."""

    member: Member
    session_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What became of a right code."""

    verified: Verified
    # Tokens whose principal has changed: caches must ask again.
    stale: Sequence[bytes]


async def request_code(deps: Deps, command: RequestCode) -> Requested:
    """Send a one-time code to an address.

    An unknown address gets the same answer by the same work, a challenge that no code meets, and
    no message; so does an address of somebody else that a member wishes to add. Limited per
    address and per chain; closed while Redis is away.

    Refuses with NotFound, AddressRequired, PhoneInvalid, EmailInvalid; raises RateLimited.
    """
    async with reading(deps) as conn:
        chain = await chain_storage.get_chain(conn, command.chain_id)
    if chain is None:
        raise NotFound(field="chain_id")
    channel, address = _read_address(chain, command)
    await _check_limits(deps, chain, channel=channel, address=address)
    now = deps.clock.real_now()
    challenge_id = ChallengeId(uuid4())
    code = rules.write_code(secrets.randbelow(10**rules.CODE_DIGITS))

    async def work(conn: Connection) -> Challenge:
        holder = await _holder(conn, chain.id, channel=channel, address=address)
        member, adds = holder, False
        if command.adder_id is not None:
            adder = await member_storage.get_member(
                conn, chain_id=chain.id, member_id=command.adder_id
            )
            adds = holder is None and adder is not None
            member = adder if _may_have(adder, holder) else None
        challenge = Challenge(
            id=challenge_id,
            member_id=member.id if member else None,
            channel=channel,
            # A stranger's address is not kept.
            address=address if member else "",
            code_digest=rules.code_digest(
                code, challenge_id=challenge_id, key=deps.keys.codes_stored
            ),
            expires_at=now + rules.CODE_LIFETIME,
            adds_address=adds,
        )
        await storage.insert_challenge(conn, challenge, chain_id=chain.id, now=now)
        language = command.language or (member.language if member else chain.language)
        await _send(deps, conn, chain, challenge, code=code, language=language, now=now)
        return challenge

    challenge = await in_transaction(deps.pool, work)
    metrics.CODES_REQUESTED_TOTAL.labels(channel.value, "accepted").inc()
    return Requested(
        challenge_id=challenge.id,
        channel=channel,
        masked_address=rules.mask(address, channel=channel),
        expires_at=challenge.expires_at,
    )


async def _holder(
    conn: Connection, chain_id: ChainId, *, channel: Channel, address: str
) -> Member | None:
    """The member whose address it is now."""
    by_phone = channel is Channel.SMS
    return await member_storage.find_by_address(
        conn,
        chain_id=chain_id,
        phone=address if by_phone else "",
        email_key="" if by_phone else addresses.email_key(address),
    )


def _may_have(adder: Member | None, holder: Member | None) -> bool:
    """Whether an address is free for her, or hers already."""
    return adder is not None and (holder is None or holder.id == adder.id)


def _read_address(chain: Chain, command: RequestCode) -> tuple[Channel, str]:
    region = addresses.region_of(chain.home_time_zone)
    phone = addresses.read_phone(command.phone, region=region, field="phone")
    if phone:
        return Channel.SMS, phone
    email = addresses.read_email(command.email, field="email")
    if email:
        return Channel.EMAIL, email
    raise AddressRequired(field="phone")


async def _check_limits(deps: Deps, chain: Chain, *, channel: Channel, address: str) -> None:
    """Raises RateLimited when this address, or the chain as a whole, has had its codes."""
    key = addresses.email_key(address)
    named = [(limit, f"{chain.id}:{address_digest(deps, key)}") for limit in ADDRESS_LIMITS]
    for limit, name in [*named, (CHAIN_LIMIT, str(chain.id))]:
        decision = await deps.limiter.allow(
            f"code:{limit.name}:{name}",
            per_seconds=limit.per_seconds,
            burst=limit.burst,
            fail_open=False,
        )
        if not decision.allowed:
            metrics.CODES_REQUESTED_TOTAL.labels(channel.value, "limited").inc()
            raise RateLimited(decision.retry_after_seconds)


async def _send(
    deps: Deps,
    conn: Connection,
    chain: Chain,
    challenge: Challenge,
    *,
    code: str,
    language: Language,
    now: datetime,
) -> None:
    """Hand the code to messaging; for an address that nobody has, do as much and undo it."""
    event = events.code_requested(
        challenge,
        chain_id=chain.id,
        sealed_code=deps.keys.codes_sent.seal(code.encode()),
        language=language,
        now=now,
    )
    savepoint = conn.transaction()
    await savepoint.start()
    await outbox.append(conn, [event])
    if challenge.member_id is None:
        await savepoint.rollback()
    else:
        await savepoint.commit()


async def verify_code(
    deps: Deps, *, chain_id: ChainId, challenge_id: ChallengeId, code: str, session_token: str
) -> Verified:
    """Let a member in who has the right code, and mark the address as hers.

    An address that she wished to add is hers from now on, if nobody has taken it meanwhile.

    A given session of the same member becomes verified; else a new one begins. Her sessions that
    never proved an address end: somebody else may have enrolled with her number. A try counts
    even when it is wrong, at most five for a code. Locks the code, then the member.

    Refuses with CodeWrong: wrong, expired, used, tried too often, or no longer her address.
    """

    async def work(conn: Connection) -> _Opened | None:
        now = deps.clock.real_now()
        challenge = await storage.take_try(
            conn, chain_id=chain_id, challenge_id=challenge_id, now=now
        )
        if challenge is None or not rules.is_right(code, challenge, key=deps.keys.codes_stored):
            return None
        member = await _owner(conn, chain_id, challenge)
        if member is None:
            return None
        await storage.use_challenge(conn, chain_id=chain_id, challenge_id=challenge_id, now=now)
        member = await _mark_verified(deps, conn, member, challenge)
        return await _open_session(deps, conn, member, session_token=session_token)

    # The try is committed whatever came of it: a refusal from inside would undo its count.
    opened = await in_transaction(deps.pool, work)
    if opened is None:
        metrics.CODES_CHECKED_TOTAL.labels("wrong").inc()
        raise CodeWrong(field="code")
    metrics.CODES_CHECKED_TOTAL.labels("right").inc()
    await announce_revoked(deps, opened.stale)
    return opened.verified


async def _owner(conn: Connection, chain_id: ChainId, challenge: Challenge) -> Member | None:
    """The member, locked, if the address is still hers, also as that of one merged into her."""
    if challenge.member_id is None:
        return None
    member = await member_storage.lock_member(
        conn, chain_id=chain_id, member_id=MemberId(challenge.member_id)
    )
    if member is None or _is_current(member, challenge):
        return member
    if challenge.adds_address:
        holder = await _holder(conn, chain_id, channel=challenge.channel, address=challenge.address)
        return member if _may_have(member, holder) else None
    by_phone = challenge.channel is Channel.SMS
    had = await member_storage.had_address(
        conn,
        chain_id=chain_id,
        member_id=member.id,
        phone=challenge.address if by_phone else "",
        email_key="" if by_phone else addresses.email_key(challenge.address),
    )
    return member if had else None


def _is_current(member: Member, challenge: Challenge) -> bool:
    if challenge.channel is Channel.SMS:
        return member.phone == challenge.address
    return addresses.email_key(member.email) == addresses.email_key(challenge.address)


async def _mark_verified(
    deps: Deps, conn: Connection, before: Member, challenge: Challenge
) -> Member:
    """Note that the member's present or added address is proven; tell messaging what is new."""
    now = deps.clock.now(before.chain_id)
    member = before
    if challenge.adds_address:
        added = challenge.address
        by_phone = challenge.channel is Channel.SMS
        changes = Changes(phone=added) if by_phone else Changes(email=added)
        member = changed_member(member, changes, now=now)
    if not _is_current(member, challenge):
        return before
    member = verified_member(member, channel=challenge.channel, now=now)
    if member != before:
        # Added and proven is one change.
        member = replace(member, version=before.version + 1)
        await member_storage.save_member(
            conn, member, keys_of(member), email_key=addresses.email_key(member.email)
        )
        await outbox.append(conn, [events.contact_changed(member, now=now)])
        actor = Actor(kind=ActorKind.MEMBER, id=str(member.id))
        await note_address_changes(conn, before=before, after=member, actor=actor)
    return member


async def _open_session(
    deps: Deps, conn: Connection, member: Member, *, session_token: str
) -> _Opened:
    now = deps.clock.real_now()
    token, expires_at = session_token, now + MEMBER_SESSION_LIFETIME
    stale: list[bytes] = []
    mine = kind_of(session_token) is TokenKind.MEMBER and await member_sessions.verify_session(
        conn,
        chain_id=member.chain_id,
        member_id=member.id,
        token_digest=token_digest(session_token),
        now=now,
        expires_at=expires_at,
    )
    if mine:
        stale.append(token_digest(session_token))
    else:
        token, expires_at = await start_session(deps, conn, member, verified=True)
    stale += await member_sessions.end_unverified_sessions(
        conn, chain_id=member.chain_id, member_id=member.id, now=now
    )
    return _Opened(
        verified=Verified(member=member, session_token=token, expires_at=expires_at), stale=stale
    )
