"""What has to have arrived before anything can be done."""

from __future__ import annotations

from services.chassis.postgres import Connection
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.errors import ChainUnknown
from services.messaging.storage import contacts


async def chain(conn: Connection, chain_id: ChainId) -> Chain:
    """The chain. Refuses with ChainUnknown while its event is on its way."""
    found = await contacts.find_chain(conn, chain_id)
    if found is None:
        raise ChainUnknown
    return found
