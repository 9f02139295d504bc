"""What a message to many would come to before it leaves, and the order of its list (LS-59)."""

from __future__ import annotations

from datetime import timedelta

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Channel
from tests.messaging import test_sends
from tests.messaging.conftest import NOW, MessagingHarness
from tests.messaging.to_many import Door, members, offer, report, send

door = test_sends.door

Rows = list[tuple[str, str, int, int]]


async def count(door: Door, chain_id: ChainId, **words: object) -> tuple[int, Rows]:
    request = pb.CountAudienceRequest(chain_id=str(chain_id), **words)  # type: ignore[arg-type]
    answer = await door.CountAudience(request)
    rows = [
        (
            types_pb2.Channel.Name(one.channel).removeprefix("CHANNEL_"),
            types_pb2.Language.Name(one.language).removeprefix("LANGUAGE_"),
            one.members,
            one.already,
        )
        for one in answer.reachable
    ]
    return answer.chosen, rows


async def test_a_count_tells_channels_languages_and_who_had_the_offer(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-59, LS-60: of all ticked, those who would get it, by channel; an offer sent before."""
    chain_id = await messaging.chain(language=Language.FR)
    french = await members(messaging, chain_id, 3, language=None)
    (english,) = await members(messaging, chain_id, 1, language=Language.EN)
    await members(
        messaging,
        chain_id,
        1,
        phone="",
        email="cora@example.com",
        email_verified=True,
        registered_by=Channel.EMAIL,
        grants=[Channel.EMAIL],
    )
    await members(messaging, chain_id, 2, grants=[])
    await members(messaging, await messaging.chain(), 2)
    offer_id = str(await offer(messaging, chain_id))
    other_offer = str(await offer(messaging, chain_id))
    all_of_them = [("EMAIL", "FR", 1, 0), ("SMS", "EN", 1, 0), ("SMS", "FR", 3, 0)]
    assert await count(door, chain_id, offer_id=offer_id) == (7, all_of_them)

    await send(door, chain_id, offer_id=offer_id, member_ids=[str(english.member_id)])
    await messaging.drain()
    had = [("EMAIL", "FR", 1, 0), ("SMS", "EN", 1, 1), ("SMS", "FR", 3, 0)]
    assert await count(door, chain_id, offer_id=offer_id) == (7, had)
    assert await count(door, chain_id, offer_id=other_offer) == (7, all_of_them)
    off = [str(one.member_id) for one in (*french[:2], english)]
    left = [("EMAIL", "FR", 1, 0), ("SMS", "FR", 1, 0)]
    assert await count(door, chain_id, excluded_member_ids=off) == (4, left)
    assert await count(door, chain_id, member_ids=off[:2]) == (2, [("SMS", "FR", 2, 0)])


async def test_the_list_is_in_order_of_name_over_its_pages(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-59: accents and capitals do not count; who gave no name comes last; none is lost."""
    chain_id = await messaging.chain()
    for name in ("Zoé", "élise", "", "Eva", "Alice", "Émile", "Zoé"):
        await members(messaging, chain_id, 1, given_name=name)
    who = {one.member_id: one for one in (await page(door, chain_id, limit=200)).members}
    assert len(who) == 7
    seen: list[str] = []
    cursor = ""
    while True:
        found = await page(door, chain_id, limit=2, cursor=cursor)
        seen += [one.member_id for one in found.members]
        cursor = found.cursor
        if not cursor:
            break
    assert seen == list(who)
    contacts = await messaging.pool.fetch(
        "SELECT member_id, given_name FROM contact WHERE chain_id = $1", chain_id
    )
    names = {str(row["member_id"]): row["given_name"] for row in contacts}
    assert [names[one] for one in seen] == ["Alice", "élise", "Émile", "Eva", "Zoé", "Zoé", ""]


async def page(door: Door, chain_id: ChainId, **words: object) -> pb.ListAudienceResponse:
    request = pb.ListAudienceRequest(chain_id=str(chain_id), **words)  # type: ignore[arg-type]
    return await door.ListAudience(request)


async def test_a_search_narrows_the_page_and_not_the_counts(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-61: looking for somebody, or for those who can be reached, changes no tick."""
    chain_id = await messaging.chain()
    known = await members(messaging, chain_id, 3)
    (silent,) = await members(messaging, chain_id, 1, grants=[])
    asked = [str(known[0].member_id), str(silent.member_id)]
    found = await page(door, chain_id, member_ids=asked)
    assert sorted(one.member_id for one in found.members) == sorted(asked)
    assert (found.total, found.reachable) == (4, 3)
    found = await page(door, chain_id, member_ids=asked, only_reachable=True)
    assert [one.member_id for one in found.members] == asked[:1]
    assert (found.total, found.reachable) == (4, 3)


async def test_a_planned_send_tells_how_many_it_would_choose(
    messaging: MessagingHarness, door: Door
) -> None:
    """LS-59: before it goes, whoever is ticked now; those who join meanwhile are in."""
    chain_id = await messaging.chain()
    known = await members(messaging, chain_id, 3)
    at = NOW + timedelta(days=2)
    made = await send(
        door,
        chain_id,
        offer_id=str(await offer(messaging, chain_id)),
        excluded_member_ids=[str(known[0].member_id)],
        send_at=at,
    )
    assert (made.send.status, made.send.report.chosen) == (pb.SEND_STATUS_SCHEDULED, 2)
    await members(messaging, chain_id, 1)
    assert (await report(door, made)).report.chosen == 3
