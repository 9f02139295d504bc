""" "Envoyer le statut": the balance of now to one member, when staff ask for it (SQ-32)."""

from __future__ import annotations

from uuid import uuid4

from services.chassis.errors import InvariantViolated, KeyReused
from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.consent import Address, MessageClass
from services.messaging.domain.contact import joined_by
from services.messaging.domain.delivery import (
    NEWS_AGE_MAX,
    STATUS_WAIT,
    DeliveryEntry,
    DeliveryId,
    MessageKind,
    NewDelivery,
)
from services.messaging.domain.errors import ContactMissing, MemberUnknown, MessageStopped
from services.messaging.storage import contacts, deliveries
from services.messaging.usecases import consent
from services.messaging.usecases.deps import Deps


async def send_status(
    deps: Deps, chain_id: ChainId, member_id: MemberId, *, idempotency_key: str
) -> DeliveryEntry:
    """Queue one message with the member's balance. Repeatable by key.

    Refuses with MemberUnknown, ContactMissing, and MessageStopped where a STOP or an unsubscribe
    is in force: staff hear it at once; the message itself is asked again when it leaves.
    """

    async def work(conn: Connection) -> DeliveryEntry:
        sent = await deliveries.find_entry(
            conn, chain_id, kind=MessageKind.STATUS, key=idempotency_key
        )
        if sent is None:
            await _queue(deps, conn, chain_id, member_id, key=idempotency_key)
            sent = await deliveries.find_entry(
                conn, chain_id, kind=MessageKind.STATUS, key=idempotency_key
            )
        if sent is None:
            raise InvariantViolated("a status was queued that is not in the journal")
        if sent.member_id != member_id:
            raise KeyReused
        return sent

    return await in_transaction(deps.pool, work)


async def _queue(
    deps: Deps, conn: Connection, chain_id: ChainId, member_id: MemberId, *, key: str
) -> None:
    contact = await contacts.find_contact(conn, chain_id, member_id)
    if contact is None:
        raise MemberUnknown
    channel = joined_by(contact)
    if channel is None:
        raise ContactMissing
    address = contact.address(channel)
    barrier = await consent.barrier(
        deps,
        conn,
        MessageClass.SERVICE,
        Address(chain_id=chain_id, channel=channel, value=address),
        chain=await contacts.find_chain(conn, chain_id),
        member_id=member_id,
    )
    if barrier is not None:
        raise MessageStopped(params={"channel": channel.value})
    now = deps.clock.real_now()
    await deliveries.queue(
        conn,
        [
            NewDelivery(
                chain_id=chain_id,
                id=DeliveryId(uuid4()),
                kind=MessageKind.STATUS,
                key=key,
                member_id=member_id,
                channel=channel,
                address=address,
                language=contact.language,
                params={},
                sealed_code=None,
                expires_at=now + NEWS_AGE_MAX,
                occurred_at=deps.clock.now(chain_id),
            )
        ],
        real_now=now,
        not_before=now + STATUS_WAIT,
    )
