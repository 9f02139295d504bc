"""Whom a message to many would reach (LS-59, LS-61)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.audience import (
    Audience,
    AudienceFilter,
    AudienceMember,
    AudienceSize,
    Looking,
    checked,
)
from services.messaging.domain.chain import Chain, ChainId, MemberId
from services.messaging.domain.errors import PostalAddressMissing
from services.messaging.domain.offer import OfferId
from services.messaging.storage import audiences as rows
from services.messaging.usecases import known, numbers
from services.messaging.usecases.deps import Deps

EVERYONE = Looking()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of an audience, and how many there are in all."""

    members: Sequence[AudienceMember]
    size: AudienceSize


async def list_audience(
    deps: Deps,
    chain_id: ChainId,
    asked: AudienceFilter,
    *,
    after: MemberId | None,
    limit: int,
    looking: Looking = EVERYONE,
) -> Page:
    """A page of an audience in order of name, with its size and how many may be reached now.

    Refuses with NumberOutOfRange, AudienceInvalid.
    """
    audience = checked(Audience(filter=asked))

    async def work(conn: Connection) -> Page:
        chain = await known.chain(conn, chain_id)
        members = await rows.page(
            conn,
            chosen(deps, chain, audience),
            shared_number=await _speaks_from_shared(deps, conn, chain),
            language=chain.language,
            after=after,
            looking=looking,
            limit=limit,
        )
        return Page(members=members, size=await size(deps, conn, chain, audience))

    return await in_transaction(deps.pool, work)


async def require_postal_address(
    deps: Deps, conn: Connection, chain: Chain, audience: Audience
) -> None:
    """Refuse with PostalAddressMissing an advertisement that would go out by e-mail without one.

    Asked only where there is none, and only of those who may be reached now; whoever joins later
    is not written to either until it is said.
    """
    if chain.postal_address:
        return
    if await rows.reaches_email(conn, chosen(deps, chain, audience)):
        raise PostalAddressMissing


async def count(
    deps: Deps, chain_id: ChainId, audience: Audience, *, offer_id: OfferId | None
) -> AudienceSize:
    """How many a send to this audience chooses, and whom of them it may reach now.

    Refuses with NumberOutOfRange, AudienceInvalid.
    """
    checked(audience)

    async def work(conn: Connection) -> AudienceSize:
        chain = await known.chain(conn, chain_id)
        return await size(deps, conn, chain, audience, offer_id=offer_id)

    return await in_transaction(deps.pool, work)


async def size(
    deps: Deps,
    conn: Connection,
    chain: Chain,
    audience: Audience,
    *,
    offer_id: OfferId | None = None,
) -> AudienceSize:
    """The same within a transaction: the one count of an audience."""
    return await rows.count(
        conn,
        chosen(deps, chain, audience),
        shared_number=await _speaks_from_shared(deps, conn, chain),
        offer_id=offer_id,
    )


async def _speaks_from_shared(deps: Deps, conn: Connection, chain: Chain) -> bool:
    """Whether a STOP to the shared number counts for this chain (D26)."""
    return await numbers.number_of(deps, conn, chain) == deps.sms_number


def chosen(deps: Deps, chain: Chain, audience: Audience) -> tuple[object, ...]:
    """An audience as storage asks for it, at this moment of the chain's business time."""
    now = deps.clock.now(chain.chain_id)
    return rows.chosen(chain.chain_id, audience, language=chain.language, now=now)
