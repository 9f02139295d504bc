"""The sandbox mailbox: what would have left a sandbox chain stays here to be read (api.md 3)."""

from __future__ import annotations

from services.chassis.errors import Unavailable
from services.chassis.postgres import Connection, Pool, in_transaction
from services.messaging.domain.provider import Accepted, Lookup, Outgoing, SendOutcome, Unclear
from services.messaging.storage import mailbox


class Mailbox:
    """Carries every message of a sandbox chain, SMS and e-mail alike."""

    name = "mailbox"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def send(self, message: Outgoing) -> SendOutcome:
        """Put it into the mailbox, in a transaction of its own; repeatable."""

        async def work(conn: Connection) -> None:
            await mailbox.drop(conn, message)

        try:
            await in_transaction(self._pool, work)
        except Unavailable:
            return Unclear(reason="mailbox_unavailable")
        return Accepted(provider_message_id=str(message.delivery_id))

    async def find(self, message: Outgoing) -> Accepted | Lookup:
        """Whether it lies in the mailbox."""

        async def work(conn: Connection) -> bool:
            return await mailbox.holds(conn, message.chain_id, message.delivery_id)

        try:
            there = await in_transaction(self._pool, work)
        except Unavailable:
            return Lookup.TRY_LATER
        if there:
            return Accepted(provider_message_id=str(message.delivery_id))
        return Lookup.NOT_THERE
