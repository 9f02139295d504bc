"""What became of a message that was handed over, written down and told (ADR 0009)."""

from __future__ import annotations

from services.chassis import outbox
from services.chassis.postgres import Connection, in_transaction
from services.messaging import events, metrics
from services.messaging.domain.chain import PLATFORM
from services.messaging.domain.delivery import (
    Delivery,
    DeliveryEntry,
    DeliveryState,
    Wait,
    retry_at,
)
from services.messaging.domain.provider import (
    Accepted,
    Lookup,
    Rejected,
    SendOutcome,
    TryLater,
    Unclear,
)
from services.messaging.storage import deliveries, provider_statuses
from services.messaging.usecases.deps import Deps


async def record_outcome(
    deps: Deps, delivery: Delivery, outcome: SendOutcome, *, provider: str
) -> None:
    """Write down what the provider said.

    Does nothing when the delivery is no longer in this attempt: then another process has looked
    it up meanwhile, and what it wrote counts.
    """

    async def work(conn: Connection) -> None:
        now = deps.clock.real_now()
        reason = "" if isinstance(outcome, Accepted) else outcome.reason
        await deliveries.close_attempt(
            conn, delivery, outcome=_word(outcome), reason=reason, real_now=now
        )
        if isinstance(outcome, Accepted):
            await _sent(deps, conn, delivery, outcome)
        elif isinstance(outcome, Rejected):
            await end(deps, conn, delivery, state=DeliveryState.FAILED, reason=outcome.reason)
        elif isinstance(outcome, TryLater):
            until = retry_at(
                attempts=delivery.attempts,
                now=now,
                retry_after_seconds=outcome.retry_after_seconds,
            )
            if until is None:
                await end(deps, conn, delivery, state=DeliveryState.FAILED, reason=outcome.reason)
            else:
                await put_off(deps, conn, delivery, wait=Wait(until=until, reason=outcome.reason))
        # Unclear: the row stays in SENDING and is looked up when its lease ends.

    await in_transaction(deps.pool, work)
    metrics.ATTEMPTS.labels(provider, _word(outcome)).inc()


def _word(outcome: SendOutcome) -> str:
    match outcome:
        case Accepted():
            return "accepted"
        case Rejected():
            return "rejected"
        case TryLater():
            return "try_later"
        case Unclear():
            return "unclear"


async def record_lookup(deps: Deps, delivery: Delivery, found: Accepted | Lookup) -> None:
    """Write down what a lookup brought: sent, to be sent again, or unknown for good.

    An unknown one is not sent again by itself; it stands in the journal.
    """

    async def work(conn: Connection) -> None:
        now = deps.clock.real_now()
        if isinstance(found, Accepted):
            await deliveries.close_attempt(
                conn, delivery, outcome="accepted", reason="looked_up", real_now=now
            )
            await _sent(deps, conn, delivery, found)
        elif found is Lookup.NOT_THERE:
            await deliveries.close_attempt(
                conn, delivery, outcome="try_later", reason="looked_up", real_now=now
            )
            if retry_at(attempts=delivery.attempts, now=now) is None:
                await end(deps, conn, delivery, state=DeliveryState.FAILED, reason="not_accepted")
            else:
                await put_off(deps, conn, delivery, wait=Wait(until=now, reason="not_accepted"))
        elif found is Lookup.CANNOT_SAY:
            await end(deps, conn, delivery, state=DeliveryState.UNKNOWN, reason="answer_lost")
        # TRY_LATER: asked again when the lease ends.

    await in_transaction(deps.pool, work)


async def _sent(deps: Deps, conn: Connection, delivery: Delivery, accepted: Accepted) -> None:
    await provider_statuses.lock_message(conn, accepted.provider_message_id)
    ended = await end(
        deps,
        conn,
        delivery,
        state=DeliveryState.SENT,
        reason="",
        provider_message_id=accepted.provider_message_id,
    )
    if ended:
        waited = (deps.clock.real_now() - delivery.recorded_at).total_seconds()
        metrics.DELIVERY_SECONDS.labels(delivery.kind.value).observe(waited)
        early = await provider_statuses.take(conn, accepted.provider_message_id)
        if early is not None:
            await move_on(deps, conn, delivery, state=early[0], reason=early[1])


async def move_on(
    deps: Deps,
    conn: Connection,
    delivery: Delivery | DeliveryEntry,
    *,
    state: DeliveryState,
    reason: str,
) -> bool:
    """Bring a sent delivery to what its provider says of it later; False when it was there."""
    business_now = deps.clock.now(delivery.chain_id)
    moved = await provider_statuses.move_on(
        conn,
        delivery.chain_id,
        delivery.id,
        state=state,
        reason=reason,
        business_now=business_now,
    )
    if moved and delivery.chain_id != PLATFORM:
        await outbox.append(
            conn, [events.delivery_ended(delivery, state=state, occurred_at=business_now)]
        )
    return moved


async def end(
    deps: Deps,
    conn: Connection,
    delivery: Delivery,
    *,
    state: DeliveryState,
    reason: str,
    provider_message_id: str = "",
) -> bool:
    """End a delivery and tell it; False when it is no longer where this process left it."""
    business_now = deps.clock.now(delivery.chain_id)
    ended = await deliveries.end(
        conn,
        delivery,
        before=delivery.state,
        state=state,
        reason=reason,
        business_now=business_now,
        provider_message_id=provider_message_id,
    )
    if not ended:
        return False
    if delivery.chain_id != PLATFORM:
        await outbox.append(
            conn, [events.delivery_ended(delivery, state=state, occurred_at=business_now)]
        )
    metrics.DELIVERIES.labels(delivery.kind.value, delivery.channel.value, state.value).inc()
    return True


async def put_off(deps: Deps, conn: Connection, delivery: Delivery, *, wait: Wait) -> None:
    """Leave a delivery in the queue for a later moment."""
    await deliveries.postpone(
        conn,
        delivery,
        before=delivery.state,
        state=DeliveryState.QUEUED,
        reason=wait.reason,
        until=wait.until,
        business_now=deps.clock.now(delivery.chain_id),
        waits_until=wait.business_until,
    )
