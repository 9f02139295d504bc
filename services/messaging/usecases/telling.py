"""Service messages: queued for a member's own channel and language, once for each cause (D18).

Consent is not asked here but when the message leaves.
"""

from __future__ import annotations

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


async def tell(deps: Deps, conn: Connection, news: News) -> None:
    """Tell a member what happened. Repeatable; too old to be news, it is left.

    Where her contact is still on its way, the news waits for it.
    """
    if deps.clock.now(news.chain_id) >= news.expires_at:
        return
    contact = await contacts.find_contact(conn, news.chain_id, news.member_id)
    if contact is None:
        await news_rows.lock_member(conn, news.chain_id, news.member_id)
        contact = await contacts.find_contact(conn, news.chain_id, news.member_id)
    if contact is None:
        if not await contacts.is_erased(conn, news.chain_id, news.member_id):
            await news_rows.keep(conn, news)
        return
    await tell_contact(deps, conn, news, contact)


async def tell_contact(
    deps: Deps, conn: Connection, news: News, contact: Contact, *, after: timedelta = timedelta()
) -> None:
    """Queue the message to a contact that is known, to leave after a pause of real time.

    The first receipt goes into the welcome where that has not left yet: one message (SQ-27).
    """
    if news.kind is MessageKind.RECEIPT and news.params.get("first"):
        told = await deliveries.add_to_welcome(
            conn,
            news.chain_id,
            news.member_id,
            cause=news.key,
            params={name: news.params[name] for name in ("points", "term", "balance")},
            real_now=deps.clock.real_now(),
        )
        if told:
            return
    channel = joined_by(contact)
    if channel is None or (news.kind in SMS_ONLY and not contact.phone):
        return
    now = deps.clock.real_now()
    await deliveries.queue(
        conn,
        NewDelivery(
            chain_id=news.chain_id,
            id=DeliveryId(uuid4()),
            kind=news.kind,
            key=news.key,
            member_id=news.member_id,
            channel=channel,
            address=contact.address(channel),
            language=contact.language,
            params=news.params,
            sealed_code=None,
            expires_at=_real(deps, news),
            occurred_at=news.occurred_at,
        ),
        real_now=now,
        not_before=now + after,
    )


def _real(deps: Deps, news: News) -> datetime:
    """The real time at which it is no news any more, as the chain's clock runs now."""
    return news.expires_at - deps.clock.offset(news.chain_id)
