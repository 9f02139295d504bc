"""Sending: claim, hand over outside of any transaction, write down what became of it (ADR 0009).

Three steps and two commits. Whatever dies between them leaves a row in `SENDING`, whose outcome
is looked up at the provider before anything is sent again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from services.chassis.postgres import Connection, in_transaction, listening
from services.messaging.domain import segments
from services.messaging.domain.chain import PLATFORM, Chain, ChainId
from services.messaging.domain.consent import Address, Channel
from services.messaging.domain.delivery import (
    LEASE,
    LOOKUPS_MAX,
    Close,
    Delivery,
    DeliveryState,
    Wait,
    verdict,
)
from services.messaging.domain.provider import (
    Accepted,
    Lookup,
    Outgoing,
    Provider,
    Rejected,
    SendOutcome,
    Unclear,
)
from services.messaging.domain.send import STOPPED_REASON
from services.messaging.storage import consents, contacts, deliveries
from services.messaging.templates import Words
from services.messaging.usecases import (
    consent,
    holding,
    numbers,
    occasions,
    outcomes,
    sends,
    wording,
)
from services.messaging.usecases.deps import Deps

log = structlog.get_logger(__name__)

# Less than this left of the lease, and another process may already be looking the message up.
HAND_OVER_SECONDS_MIN = 12.0
REST_SECONDS_MIN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this process alone may hand over until the lease ends."""

    delivery: Delivery
    chain: Chain | None
    provider: Provider
    lease_until: datetime
    # Made at this moment; a refusal where there are none.
    words: Words | Rejected
    # True where an earlier attempt's answer was lost: look it up, do not send.
    look_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A due delivery that needed no provider: closed, or left for later."""


Claim: TypeAlias = Claimed | Settled | None


async def send_next(deps: Deps, *, chain_id: ChainId | None = None) -> bool:
    """Bring the delivery that has been due longest one step further; False when none is due.

    Where none is, some more of a send to very many are queued. With `chain_id` only of that chain.
    """
    claim = await claim_next(deps, chain_id=chain_id)
    if claim is None:
        return await sends.fill(deps, chain_id=chain_id)
    if isinstance(claim, Claimed):
        if claim.look_up:
            found = await look_up(deps, claim)
            await outcomes.record_lookup(deps, claim.delivery, found)
        else:
            outcome = await hand_over(deps, claim)
            await outcomes.record_outcome(
                deps, claim.delivery, outcome, provider=claim.provider.name
            )
    return True


async def seconds_to_next(deps: Deps, *, longest: float) -> float:
    """How long a sender that found nothing due may rest: until the next is, or `longest`.

    One that is due and that another sender holds is not waited for without any rest.
    """
    due_at = await in_transaction(deps.pool, deliveries.next_due_at)
    if due_at is None:
        return longest
    seconds = (due_at - deps.clock.real_now()).total_seconds()
    return min(max(seconds, REST_SECONDS_MIN), longest)


async def next_waiting(deps: Deps, chain_id: ChainId) -> datetime | None:
    """The earliest business time for which a delivery of a chain waits; None: for none."""

    async def work(conn: Connection) -> datetime | None:
        return await deliveries.next_waiting(conn, chain_id)

    return await in_transaction(deps.pool, work)


async def release(deps: Deps, chain_id: ChainId) -> int:
    """Let go what waited for a business time of the chain that has come."""

    async def work(conn: Connection) -> int:
        return await deliveries.release(
            conn, chain_id, now=deps.clock.now(chain_id), real_now=deps.clock.real_now()
        )

    return await in_transaction(deps.pool, work)


@asynccontextmanager
async def queue_notices(
    deps: Deps, heard: Callable[[object, int, str, object], None]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Call `heard` whenever a delivery is queued; keeps one connection of the pool for it.

    Yields what raises when that very connection is lost.
    """
    async with listening(deps.pool, deliveries.CHANNEL, heard) as conn:

        async def ask() -> None:
            await deliveries.next_due_at(conn)

        yield ask


async def claim_next(deps: Deps, *, chain_id: ChainId | None = None) -> Claim:
    """Take the delivery that has been due longest; None when none is due.

    Asks consent, the clock and the chain at this moment, and not before. Locks the delivery.
    """

    async def work(conn: Connection) -> Claim:
        now = deps.clock.real_now()
        delivery = await deliveries.lock_due(conn, real_now=now, chain_id=chain_id)
        if delivery is None:
            return None
        chain = await contacts.find_chain(conn, delivery.chain_id)
        provider = _provider(deps, delivery, chain)
        if delivery.state is DeliveryState.SENDING:
            return await _claim_lookup(deps, conn, delivery, chain, provider, now=now)
        if await occasions.is_stopped(conn, delivery):
            state, reason = DeliveryState.EXPIRED, STOPPED_REASON
            await outcomes.end(deps, conn, delivery, state=state, reason=reason)
            return Settled()
        settings = await holding.settings_of(conn, delivery.chain_id, chain)
        decided = verdict(
            delivery,
            chain_known=chain is not None or delivery.chain_id == PLATFORM,
            provider_known=provider is not None,
            barrier=await consent.barrier(
                deps,
                conn,
                delivery.message_class,
                Address(
                    chain_id=delivery.chain_id, channel=delivery.channel, value=delivery.address
                ),
                chain=chain,
                member_id=delivery.member_id,
            ),
            now=now,
            hold=holding.quiet(deps, delivery, chain, settings),
        )
        if isinstance(decided, Close):
            await outcomes.end(deps, conn, delivery, state=decided.state, reason=decided.reason)
            return Settled()
        if isinstance(decided, Wait):
            await outcomes.put_off(deps, conn, delivery, wait=decided)
            return Settled()
        if provider is None:
            return Settled()
        delivery = await wording.settled(conn, delivery)
        words = await wording.words(deps, conn, delivery, chain)
        if isinstance(words, Words):
            length = segments.measured(words.body).segments
            full = await holding.count_sms(deps, conn, delivery, chain, settings, segments=length)
            if full is not None:
                await outcomes.put_off(deps, conn, delivery, wait=full)
                return Settled()
        return await _claim_attempt(deps, conn, delivery, chain, provider, words=words, now=now)

    return await in_transaction(deps.pool, work)


def _provider(deps: Deps, delivery: Delivery, chain: Chain | None) -> Provider | None:
    return deps.providers.choose(delivery.channel, sandbox=chain is not None and chain.sandbox)


async def _claim_attempt(
    deps: Deps,
    conn: Connection,
    delivery: Delivery,
    chain: Chain | None,
    provider: Provider,
    *,
    words: Words | Rejected,
    now: datetime,
) -> Claim:
    sender = deps.email_sender
    if delivery.channel is Channel.SMS:
        sender = await numbers.number_of(deps, conn, chain)
    lease_until = now + LEASE
    started = await deliveries.start_attempt(
        conn,
        delivery,
        sender=sender,
        provider=provider.name,
        lease_until=lease_until,
        real_now=now,
        business_now=deps.clock.now(delivery.chain_id),
        sealed_words=wording.sealed(deps, delivery, words),
    )
    if not started:
        return Settled()
    if delivery.channel is Channel.SMS and delivery.chain_id != PLATFORM:
        await consents.note_correspondence(
            conn, delivery.chain_id, number=sender, phone=delivery.address
        )
    return Claimed(
        delivery=replace(
            delivery,
            state=DeliveryState.SENDING,
            attempts=delivery.attempts + 1,
            sender=sender,
            first_attempt_at=delivery.first_attempt_at or now,
        ),
        chain=chain,
        provider=provider,
        lease_until=lease_until,
        words=words,
        look_up=False,
    )


async def _claim_lookup(
    deps: Deps,
    conn: Connection,
    delivery: Delivery,
    chain: Chain | None,
    provider: Provider | None,
    *,
    now: datetime,
) -> Claim:
    """Take a delivery whose answer was lost; with nobody to ask any more it stays unknown."""
    if provider is None or delivery.lookups >= LOOKUPS_MAX:
        await outcomes.end(deps, conn, delivery, state=DeliveryState.UNKNOWN, reason="answer_lost")
        return Settled()
    lease_until = now + LEASE
    await deliveries.postpone(
        conn,
        delivery,
        before=DeliveryState.SENDING,
        state=DeliveryState.SENDING,
        reason="answer_lost",
        until=lease_until,
        business_now=deps.clock.now(delivery.chain_id),
        lookups=delivery.lookups + 1,
    )
    return Claimed(
        delivery=delivery,
        chain=chain,
        provider=provider,
        lease_until=lease_until,
        words=wording.sent(deps, delivery) or await wording.words(deps, conn, delivery, chain),
        look_up=True,
    )


async def hand_over(deps: Deps, claimed: Claimed) -> SendOutcome:
    """Give the message to its provider; no transaction is open meanwhile."""
    message = _outgoing(deps, claimed)
    if isinstance(message, Rejected):
        return message
    left = claimed.lease_until - deps.clock.real_now()
    if left < timedelta(seconds=HAND_OVER_SECONDS_MIN):
        # This process slept through its lease; the message has not left by its hand.
        return Unclear(reason="lease_ended")
    try:
        return await claimed.provider.send(message)
    except Exception as error:
        # Whatever a provider forgot to foresee: the message may have left.
        _log_fault("provider_failed", claimed, error)
        return Unclear(reason="provider_failed")


async def look_up(deps: Deps, claimed: Claimed) -> Accepted | Lookup:
    """Ask the provider whether it has the message; no transaction is open meanwhile."""
    message = _outgoing(deps, claimed)
    if isinstance(message, Rejected):
        return Lookup.CANNOT_SAY
    try:
        return await claimed.provider.find(message)
    except Exception as error:
        _log_fault("provider_lookup_failed", claimed, error)
        return Lookup.TRY_LATER


def _log_fault(event: str, claimed: Claimed, error: Exception) -> None:
    """The kind of a fault without its text, in which a provider may repeat an address."""
    log.error(
        event,
        provider=claimed.provider.name,
        delivery_id=str(claimed.delivery.id),
        fault=type(error).__name__,
    )


def _outgoing(deps: Deps, claimed: Claimed) -> Outgoing | Rejected:
    delivery, words = claimed.delivery, claimed.words
    if isinstance(words, Rejected):
        return words
    return Outgoing(
        delivery_id=delivery.id,
        chain_id=delivery.chain_id,
        kind=delivery.kind,
        channel=delivery.channel,
        to=delivery.address,
        sender=delivery.sender,
        sender_name=wording.name_of(claimed.chain),
        subject=words.subject,
        body=words.body,
        unsubscribe_url=wording.unsubscribe_url(deps, delivery),
        # What has waited for the morning leaves in the morning.
        occurred_at=max(delivery.occurred_at, delivery.waits_until or delivery.occurred_at),
        first_attempt_at=delivery.first_attempt_at or delivery.recorded_at,
    )
