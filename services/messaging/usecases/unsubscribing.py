"""E-mail stopped by the link in a message, without a session (RFC 8058)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Address, Channel, ConsentRecord, ConsentSource
from services.messaging.domain.delivery import DeliveryId
from services.messaging.domain.errors import TokenInvalid
from services.messaging.storage import contacts, deliveries
from services.messaging.usecases.consent import change_consent
from services.messaging.usecases.deps import Deps

# A chain's id and a delivery's id: no address travels in a link.
PAYLOAD_BYTES = 32
TOKEN_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """Whose e-mail stopped, and the language of who stopped it."""

    chain_id: ChainId
    language: Language


async def unsubscribe(deps: Deps, token: str) -> Unsubscribed:
    """Withdraw consent to e-mail for the address that the message went to. Repeatable.

    Works for members and strangers, in every class but security. It returns by her own tick alone
    (LS-78). Refuses with TokenInvalid.
    """
    payload = deps.unsubscribe.verify(token) if len(token) <= TOKEN_LENGTH_MAX else None
    if payload is None or len(payload) != PAYLOAD_BYTES:
        raise TokenInvalid
    chain_id = ChainId(UUID(bytes=payload[:16]))
    delivery_id = DeliveryId(UUID(bytes=payload[16:]))

    async def work(conn: Connection) -> Unsubscribed:
        found = await deliveries.find_address(conn, chain_id, delivery_id)
        if found is None or found[0] is not Channel.EMAIL:
            raise TokenInvalid
        channel, address, member_id, language = found
        record = ConsentRecord(
            address=Address(chain_id=chain_id, channel=channel, value=address),
            member_id=member_id,
            granted=False,
            source=ConsentSource.EMAIL_LINK,
            evidence={"delivery_id": str(delivery_id)},
            number="",
            occurred_at=deps.clock.now(chain_id),
        )
        await change_consent(conn, record)
        chain = await contacts.find_chain(conn, chain_id)
        return Unsubscribed(
            chain_id=chain_id,
            language=language or (chain.language if chain else Language.FR),
        )

    return await in_transaction(deps.pool, work)
