"""Messages to many, as the tests of them make them: members, offers, sends, what was told."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.domain.standing import (
    AccountId,
    Balance,
    ProgramId,
    SalonId,
    TierId,
    TierMove,
    Visit,
)
from services.messaging.storage import standings
from services.messaging.usecases import offers_news
from tests.messaging.conftest import NOW, MessagingHarness

Door = messaging_pb2_grpc.MessagingServiceStub


async def members(
    messaging: MessagingHarness, chain_id: ChainId, count: int, **words: Any
) -> list[Contact]:
    """Members whose welcome has left, who proved their phones and agreed to texts."""
    given: dict[str, Any] = {"phone_verified": True, "grants": [Channel.SMS]}
    start = int(uuid4().int % 5_000) + 1_000
    made = [
        await messaging.enroll(
            chain_id, **{"phone": f"+1438555{start + number:04d}", **given, **words}
        )
        for number in range(count)
    ]
    await messaging.drain()
    return made


async def offer(messaging: MessagingHarness, chain_id: ChainId, **words: Any) -> OfferId:
    given: dict[str, Any] = {
        "offer_id": OfferId(uuid4()),
        "title": "20 % sur la coupe",
        "description": "",
        "exclusion": "",
        "start_date": date(2026, 11, 1),
        "end_date": date(2026, 12, 31),
        "deleted": False,
        "version": 1,
    }
    copy = OfferCopy(chain_id=chain_id, **{**given, **words})
    await in_transaction(messaging.pool, lambda conn: offers_news.take_offer(conn, copy))
    return copy.offer_id


async def send(
    door: Door, chain_id: ChainId, *, key: str = "", **words: Any
) -> pb.CreateSendResponse:
    return await door.CreateSend(
        pb.CreateSendRequest(idempotency_key=key or str(uuid4()), chain_id=str(chain_id), **words)
    )


async def report(door: Door, made: pb.CreateSendResponse) -> pb.Send:
    asked = pb.GetSendRequest(chain_id=made.send.chain_id, send_id=made.send.id)
    return (await door.GetSend(asked)).send


async def audience(door: Door, chain_id: ChainId, **words: Any) -> pb.ListAudienceResponse:
    return await door.ListAudience(
        pb.ListAudienceRequest(chain_id=str(chain_id), filter=pb.AudienceFilter(**words))
    )


async def told(messaging: MessagingHarness, chain_id: ChainId, kind: str = "OFFER") -> list[str]:
    """Where messages of a kind arrived, in order."""
    found = await messaging.mailbox(chain_id)
    return sorted(one.recipient for one in found if one.kind == kind)


async def stand(
    messaging: MessagingHarness,
    member: Contact,
    *,
    balance: int = 0,
    visited_days_ago: int | None = None,
    salon_id: UUID | None = None,
    tier_id: UUID | None = None,
) -> None:
    """What points told of a member."""
    account_id, program_id = AccountId(uuid4()), ProgramId(uuid4())

    async def work(conn: Connection) -> None:
        held = Balance(
            chain_id=member.chain_id,
            account_id=account_id,
            member_id=member.member_id,
            program_id=program_id,
            balance=balance,
            sequence=1,
        )
        await standings.put_balances(conn, [held])
        if tier_id is not None:
            await standings.put_tier(
                conn,
                TierMove(
                    chain_id=member.chain_id,
                    account_id=account_id,
                    member_id=member.member_id,
                    program_id=program_id,
                    tier_id=TierId(tier_id),
                    tier_name="Or",
                    risen=True,
                    occurred_at=NOW,
                ),
            )
        if visited_days_ago is not None:
            visit = Visit(
                chain_id=member.chain_id,
                member_id=member.member_id,
                salon_id=SalonId(salon_id) if salon_id else None,
                at=NOW - timedelta(days=visited_days_ago),
                earned_by=None,
            )
            await standings.note_visits(conn, [visit])

    await in_transaction(messaging.pool, work)
