"""Service messages: queued for a member's own channel and language, once for each cause (D18).

Consent is not asked here but when the message leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from services.chassis.postgres import Connection
from services.messaging.domain.contact import Contact, joined_by
from services.messaging.domain.delivery import DeliveryId, MessageKind, NewDelivery
from services.messaging.domain.news import News
from services.messaging.storage import contacts, deliveries
from services.messaging.storage import news as news_rows
from services.messaging.usecases.deps import Deps

# Kinds with words for one channel only.
SMS_ONLY = frozenset({MessageKind.COLLECT_EMAIL})


async def tell(deps: Deps, conn: Connection, news: Sequence[News]) -> None:
    """Tell members what happened, in order. Repeatable; what is too old to be news is left.

    Where a contact is still on its way, its news waits for it.
    """
    fresh = [each for each in news if deps.clock.now(each.chain_id) < each.expires_at]
    members = {(each.chain_id, each.member_id) for each in fresh}
    known = await contacts.find_contacts(conn, members)
    missing = members - known.keys()
    if missing:
        await news_rows.lock_members(conn, missing)
        known |= await contacts.find_contacts(conn, missing)
        missing -= known.keys()
    if missing:
        early = [each for each in fresh if (each.chain_id, each.member_id) in missing]
        await news_rows.keep(conn, early)
    told = [
        (each, contact)
        for each in fresh
        if (contact := known.get((each.chain_id, each.member_id))) is not None
    ]
    await tell_contacts(deps, conn, told)


async def tell_contacts(
    deps: Deps,
    conn: Connection,
    news: Sequence[tuple[News, Contact]],
    *,
    after: timedelta = timedelta(),
) -> None:
    """Queue messages to contacts that are known, to leave after a pause of real time.

    The first receipt goes into the welcome where that has not left yet: one message (SQ-27).
    """
    now = deps.clock.real_now()
    new = []
    for each, contact in news:
        channel = joined_by(contact)
        if await _in_welcome(deps, conn, each) or channel is None:
            continue
        if each.kind in SMS_ONLY and not contact.phone:
            continue
        new.append(
            NewDelivery(
                chain_id=each.chain_id,
                id=DeliveryId(uuid4()),
                kind=each.kind,
                key=each.key,
                member_id=each.member_id,
                channel=channel,
                address=contact.address(channel),
                language=contact.language,
                params=each.params,
                sealed_code=None,
                expires_at=_real(deps, each),
                occurred_at=each.occurred_at,
            )
        )
    await deliveries.queue(conn, new, real_now=now, not_before=now + after)


async def _in_welcome(deps: Deps, conn: Connection, news: News) -> bool:
    """Whether it is a first receipt that the welcome tells too."""
    if news.kind is not MessageKind.RECEIPT or not news.params.get("first"):
        return False
    return await deliveries.add_to_welcome(
        conn,
        news.chain_id,
        news.member_id,
        cause=news.key,
        params={name: news.params[name] for name in ("points", "term", "balance")},
        real_now=deps.clock.real_now(),
    )


def _real(deps: Deps, news: News) -> datetime:
    """The real time at which it is no news any more, as the chain's clock runs now."""
    return news.expires_at - deps.clock.offset(news.chain_id)
