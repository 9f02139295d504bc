"""What can be read: the journal of deliveries and the sandbox mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import (
    FIRST_POINTS_WAIT,
    DeliveryEntry,
    DeliveryState,
)
from services.messaging.domain.errors import NotFound
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.storage import contacts, deliveries, mailbox
from services.messaging.usecases.deps import Deps

# Below a caller's deadline; the mailbox itself answers within milliseconds.
MAILBOX_WAIT_SECONDS_MAX = 4.0
MAILBOX_POLL_SECONDS = 0.02


async def list_deliveries(
    deps: Deps,
    chain_id: ChainId,
    *,
    member_id: MemberId | None,
    before_sequence: int | None,
    limit: int,
    send_id: UUID | None = None,
    states: Sequence[DeliveryState] = (),
) -> list[DeliveryEntry]:
    """The chain's deliveries, newest first: neither addresses nor words."""

    async def work(conn: Connection) -> list[DeliveryEntry]:
        return await deliveries.list_entries(
            conn,
            chain_id,
            member_id=member_id,
            before_sequence=before_sequence,
            limit=limit,
            send_id=send_id,
            states=states,
        )

    return await in_transaction(deps.pool, work)


async def wait_for_mailbox(deps: Deps, chain_id: ChainId) -> bool:
    """Wait until nothing of the chain is under way any more; False when that takes too long.

    Whoever has just caused a message then finds it at the first look.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + MAILBOX_WAIT_SECONDS_MAX

    # A welcome that waits for the first points is on its way too.
    by = deps.clock.real_now() + FIRST_POINTS_WAIT

    async def work(conn: Connection) -> bool:
        return await deliveries.is_under_way(conn, chain_id, real_now=by)

    while await in_transaction(deps.pool, work):
        if loop.time() > end:
            return False
        await asyncio.sleep(MAILBOX_POLL_SECONDS)
    return True


async def list_sandbox_messages(
    deps: Deps, chain_id: ChainId, *, to: str, channel: Channel | None, limit: int
) -> list[SandboxMessage]:
    """What would have left a sandbox chain, newest first (api.md 3).

    Empty for a chain whose event has not arrived yet. Refuses with NotFound for a live chain.
    """

    async def work(conn: Connection) -> list[SandboxMessage]:
        chain = await contacts.find_chain(conn, chain_id)
        if chain is not None and not chain.sandbox:
            raise NotFound(field="chain_id")
        return await mailbox.list_messages(conn, chain_id, to=to, channel=channel, limit=limit)

    return await in_transaction(deps.pool, work)
