"""Messages to many: made, planned, let go, stopped, reported (LS-59 to LS-63; ADR 0017)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from services.chassis import idempotency
from services.chassis.idempotency import Claim
from services.chassis.postgres import TOO_BUSY, Connection, in_transaction
from services.messaging.domain.audience import Audience, checked
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.errors import (
    NotFound,
    OfferEnded,
    OfferNotFound,
    SendAtPast,
)
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.domain.schedule import NO_WORDS, ScheduledWords
from services.messaging.domain.send import Send, SendId, SendReport, SendState
from services.messaging.storage import contacts, offers
from services.messaging.storage import sends as rows
from services.messaging.usecases import audiences, holding, known, previewing, schedules
from services.messaging.usecases.deps import Deps

# A full day's cap may stretch a big send over days; after a week it is no news any more.
SEND_AGE_MAX = timedelta(days=7)
# Well below the deadline of the request; on a busy machine enough for ten thousand members.
OWNER_WAITS_SECONDS_MAX = 2.0
# As many as leave in some seconds; a send to fewer is queued as a whole.
FILLED_AT_ONCE = 2_000
# Few enough that no other statement waits for them.
STOPPED_AT_ONCE = 500
# Nobody waits for a planned send: a million members get their minutes.
QUEUE_SECONDS_MAX = 300.0
# A form takes a while to fill in, and clocks differ: what was "now" then leaves at once.
LATE_MAX = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSend:
    """A message to many as its owner makes it. `send_at` None: now."""

    idempotency_key: str
    fingerprint: bytes
    chain_id: ChainId
    offer_id: OfferId | None
    words: ScheduledWords
    audience: Audience
    send_at: datetime | None
    # For those who read English.
    english: ScheduledWords = NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A send with its report, and what to know of it."""

    send: Send
    report: SendReport
    warnings: tuple[str, ...] = ()


async def create(deps: Deps, command: CreateSend) -> Shown:
    """Make a send; one for now is queued in the same transaction, where that takes no longer than
    its owner waits. Repeatable by key (LS-60).

    Refuses with OfferNotFound, OfferEnded, SendAtPast, PostalAddressMissing, WordsRequired without
    an offer, TemplateInvalid, NumberOutOfRange, AudienceInvalid. An offer that has
    not begun is warned of, not refused (LS-63).
    """
    checked(command.audience)
    claim = Claim(
        chain_id=command.chain_id,
        operation="create_send",
        key=command.idempotency_key,
        fingerprint=command.fingerprint,
    )

    async def work(conn: Connection) -> Shown:
        chain = await known.chain(conn, command.chain_id)
        now = deps.clock.now(chain.chain_id)
        send = Send(
            chain_id=chain.chain_id,
            id=SendId(uuid4()),
            sequence=0,
            offer_id=command.offer_id,
            words=command.words,
            english=command.english,
            audience=command.audience,
            state=SendState.SCHEDULED,
            send_at=command.send_at or now,
            created_at=now,
            chosen=0,
        )

        async def effect() -> bytes:
            warnings = await _checked(deps, conn, chain, send)
            await rows.insert(conn, send)
            if send.send_at <= now:
                await _let_go_at_once(deps, conn, chain, send)
            return " ".join((str(send.id), *warnings)).encode()

        answer = await idempotency.once(conn, claim, effect)
        made, *warnings = answer.decode().split()
        return await _shown(
            deps, conn, chain.chain_id, SendId(UUID(made)), warnings=tuple(warnings)
        )

    return await in_transaction(deps.pool, work)


async def get(deps: Deps, chain_id: ChainId, send_id: SendId) -> Shown:
    """A send with what became of it so far. Refuses with NotFound."""

    async def work(conn: Connection) -> Shown:
        return await _shown(deps, conn, chain_id, send_id)

    return await in_transaction(deps.pool, work)


async def page(
    deps: Deps,
    chain_id: ChainId,
    *,
    offer_id: OfferId | None,
    before_sequence: int | None,
    limit: int,
) -> Sequence[Shown]:
    """The chain's sends, newest first."""

    async def work(conn: Connection) -> Sequence[Shown]:
        found = await rows.page(
            conn, chain_id, offer_id=offer_id, before_sequence=before_sequence, limit=limit
        )
        chain = await known.chain(conn, chain_id)
        return await _with_reports(deps, conn, chain, found)

    return await in_transaction(deps.pool, work)


async def stop(deps: Deps, chain_id: ChainId, send_id: SendId) -> Shown:
    """Let nothing more of a send leave. Repeatable. Locks the send. Refuses with NotFound.

    From then on whatever its turn brings up ends unsent; what waits is ended at once, as far as
    its owner waits.
    """

    async def work(conn: Connection) -> None:
        send = await rows.lock(conn, chain_id, send_id)
        if send is None:
            raise NotFound(field="send_id")
        if send.state in {SendState.SCHEDULED, SendState.SENDING}:
            await rows.stop(conn, send)

    async def expire(conn: Connection) -> int:
        now = deps.clock.now(chain_id)
        return await rows.expire_queued(conn, chain_id, send_id, now=now, limit=STOPPED_AT_ONCE)

    await in_transaction(deps.pool, work)
    until = time.monotonic() + OWNER_WAITS_SECONDS_MAX
    while await in_transaction(deps.pool, expire) == STOPPED_AT_ONCE:
        if time.monotonic() > until:
            break
    return await get(deps, chain_id, send_id)


async def let_due_go(deps: Deps, chain_id: ChainId) -> int:
    """Let the chain's planned sends go whose time has come, each by itself; how many."""

    async def work(conn: Connection) -> bool:
        chain = await contacts.find_chain(conn, chain_id)
        return chain is not None and await let_next_go(deps, conn, chain)

    count = 0
    while await in_transaction(deps.pool, work):
        count += 1
    return count


async def let_next_go(deps: Deps, conn: Connection, chain: Chain) -> bool:
    """Queue the planned send whose time came first; False when there is none. Locks it."""
    now = deps.clock.now(chain.chain_id)
    await rows.allow(conn, QUEUE_SECONDS_MAX)
    send = await rows.lock_due(conn, chain.chain_id, now=now)
    if send is None:
        return False
    if send.offer_id and not await _can_be_taken(deps, conn, chain, send.offer_id):
        # An offer that was deleted or ended meanwhile is told to nobody.
        await rows.stop(conn, send)
    else:
        await _let_go(deps, conn, chain, send)
    return True


async def _let_go_at_once(deps: Deps, conn: Connection, chain: Chain, send: Send) -> None:
    """Queue a send while its owner waits; one to so many that it takes longer goes out as planned
    ones do, a moment later."""
    with contextlib.suppress(*TOO_BUSY):
        async with conn.transaction():
            await rows.allow(conn, OWNER_WAITS_SECONDS_MAX)
            await _let_go(deps, conn, chain, send)


async def _can_be_taken(deps: Deps, conn: Connection, chain: Chain, offer_id: OfferId) -> bool:
    """Whether the offer is there and not over; one that has not begun may be told of (LS-63)."""
    offer = await offers.find(conn, chain.chain_id, offer_id)
    return offer is not None and not offer.is_over(holding.today(deps, chain))


async def _let_go(deps: Deps, conn: Connection, chain: Chain, send: Send) -> None:
    """Fix whom it goes to, and queue the first of them; the senders ask for the others."""
    real_now = deps.clock.real_now()
    await rows.let_go(
        conn,
        send,
        audiences.chosen(deps, chain, send.audience),
        now=deps.clock.now(chain.chain_id),
        expires_at=real_now + SEND_AGE_MAX,
    )
    await rows.fill(conn, chain.chain_id, send.id, real_now=real_now, limit=FILLED_AT_ONCE)


async def fill(deps: Deps, *, chain_id: ChainId | None) -> bool:
    """Queue some more of a send to very many; False when nobody waits for that. Locks the send.

    For senders who have nothing else to do: what was not sent to many leaves first. With `chain_id`
    only of that chain, and what another is queueing there is waited for.
    """

    async def work(conn: Connection) -> bool:
        some = chain_id is not None and await rows.is_waiting(conn, chain_id)
        found = await rows.lock_waiting(conn, chain_id=chain_id)
        if found is None:
            # Another may have queued the last of them while we waited: they are due now.
            return some
        await rows.fill(conn, *found, real_now=deps.clock.real_now(), limit=FILLED_AT_ONCE)
        return True

    return await in_transaction(deps.pool, work)


async def _checked(deps: Deps, conn: Connection, chain: Chain, send: Send) -> tuple[str, ...]:
    """What to know of a send; refuses what would reach nobody as it was meant."""
    if send.send_at < send.created_at - LATE_MAX:
        raise SendAtPast
    offer: OfferCopy | None = None
    warnings: tuple[str, ...] = ()
    if send.offer_id is not None:
        offer = await offers.find(conn, chain.chain_id, send.offer_id)
        if offer is None:
            raise OfferNotFound
        leaves_at = max(send.send_at, send.created_at)
        day = leaves_at.astimezone(holding.home_zone(chain)).date()
        if offer.is_over(day):
            raise OfferEnded
        warnings = ("offer_not_started",) if day < offer.start_date else ()
    shown = await previewing.shown_messages(
        deps, conn, chain, send.kind, send.words, send.english, offer=offer
    )
    await audiences.require_postal_address(deps, conn, chain, send.audience)
    return schedules.warnings_of(warnings, shown)


async def _shown(
    deps: Deps,
    conn: Connection,
    chain_id: ChainId,
    send_id: SendId,
    *,
    warnings: tuple[str, ...] = (),
) -> Shown:
    chain = await contacts.find_chain(conn, chain_id)
    send = await rows.find(conn, chain_id, send_id)
    if chain is None or send is None:
        raise NotFound(field="send_id")
    (shown,) = await _with_reports(deps, conn, chain, [send])
    return replace(shown, warnings=warnings)


async def _with_reports(
    deps: Deps, conn: Connection, chain: Chain, found: Sequence[Send]
) -> list[Shown]:
    """What became of each; of a planned one, how many it would choose if it went out now."""
    reports = await rows.reports(conn, chain.chain_id, found)
    for send in found:
        if send.state is SendState.SCHEDULED:
            size = await audiences.size(deps, conn, chain, send.audience)
            reports[send.id] = replace(reports[send.id], chosen=size.chosen)
    return [Shown(send=send, report=reports[send.id]) for send in found]
