"""What a provider says later of a message: it arrived, or it did not (ADR 0009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.delivery import DeliveryState
from services.messaging.storage import deliveries
from services.messaging.storage import provider_statuses as rows
from services.messaging.usecases import outcomes
from services.messaging.usecases.deps import Deps

# As Twilio says it. What is not final ("queued", "sending", "sent") tells nothing new.
_FINAL: Final[Mapping[str, DeliveryState]] = {
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.DELIVERED,
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
}
ERROR_CODE_LENGTH_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStatus:
    """A status as the provider hands it over."""

    provider_message_id: str
    status: str
    error_code: str


async def receive_status(deps: Deps, command: ReceiveStatus) -> bool:
    """Move a delivery forward, never back; True when it moved. Repeatable, in any order.

    One that comes before the provider's own answer was written down waits for it.
    """
    state = _FINAL.get(command.status.strip().lower())
    if state is None:
        return False
    code = command.error_code if command.error_code.isdecimal() else ""
    reason = "" if state is DeliveryState.DELIVERED else f"undelivered_{code or 'unknown'}"

    async def work(conn: Connection) -> bool:
        await rows.lock_message(conn, command.provider_message_id)
        found = await rows.find_sent(conn, command.provider_message_id)
        if found is None:
            await rows.keep(conn, command.provider_message_id, state=state, reason=reason)
            return False
        chain_id, delivery_id = found
        entry = await deliveries.find_by_id(conn, chain_id, delivery_id)
        if entry is None:
            return False
        return await outcomes.move_on(deps, conn, entry, state=state, reason=reason)

    return await in_transaction(deps.pool, work)
