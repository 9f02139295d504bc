"""The sandbox: a clock that goes forward, a mailbox that can be read, and none of it when live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.e2e.chains import Chain, earn, enrol, fresh_key, fresh_phone, make_tier, open_chain, take
from tests.e2e.test_messages import mail_when
from tests.stack import Stack

pytestmark = pytest.mark.stack


async def clock(client: httpx.AsyncClient) -> datetime:
    """The chain's business time."""
    answer = await client.get("/v2/sandbox/clock")
    assert answer.status_code == 200, answer.text
    return datetime.fromisoformat(answer.json()["now"])


async def test_the_clock_goes_forward_and_ticks(stack: Stack) -> None:
    chain = await open_chain(stack)
    async with chain.client() as client:
        assert abs(await clock(client) - datetime.now(UTC)) < timedelta(seconds=5)
        target = datetime.now(UTC) + timedelta(days=400)
        moved = await client.post("/v2/sandbox/clock", json={"now": target.isoformat()})
        again = await client.post("/v2/sandbox/clock", json={"now": target.isoformat()})
        first = await clock(client)
        async with asyncio.timeout(5):
            while await clock(client) <= first:
                await asyncio.sleep(0.01)
        back = await client.post(
            "/v2/sandbox/clock", json={"now": (target - timedelta(days=1)).isoformat()}
        )
        account = await enrol(chain, client)
        await earn(chain, client, account, 1)
        events = (await client.post("/v2/loyalty/events/search", json={})).json()["events"]

    assert moved.status_code == again.status_code == 200
    assert timedelta() <= first - target < timedelta(seconds=30)
    assert back.status_code == 400
    assert back.json()["errors"][0]["field"] == "now"
    assert datetime.fromisoformat(events[0]["created_at"]) >= target


async def test_what_happened_before_a_jump_keeps_its_day(stack: Stack) -> None:
    """Whoever enrols and jumps at once: outboxes drain first (api.md 3)."""
    chain = await open_chain(stack)
    async with chain.client() as client:
        for _ in range(6):
            phone = fresh_phone()
            wanted = {"program_id": chain.program_id, "mapping": {"phone_number": phone}}
            body = {"idempotency_key": fresh_key(), "loyalty_account": wanted}
            assert (await client.post("/v2/loyalty/accounts", json=body)).status_code == 200
            before = await clock(client)
            jump = {"now": (before + timedelta(days=30)).isoformat()}
            assert (await client.post("/v2/sandbox/clock", json=jump)).status_code == 200
            found = await client.get("/v2/sandbox/messages", params={"to": phone})
            (welcome,) = found.json()["messages"]
            told = datetime.fromisoformat(welcome["created_at"])
            assert abs(told - before) < timedelta(days=1)


@pytest.mark.parametrize(
    "now", ["2999-01-01T00:00:00Z", "tomorrow", "2027-01-31", 1800000000, None, ""]
)
async def test_a_time_that_cannot_be_is_refused(client: httpx.AsyncClient, now: object) -> None:
    before = await clock(client)
    answer = await client.post("/v2/sandbox/clock", json={"now": now})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "now"
    assert await clock(client) - before < timedelta(minutes=1)


async def test_one_chains_clock_moves_no_other(stack: Stack, charlies: Chain) -> None:
    chain = await open_chain(stack)
    async with chain.client() as mine, charlies.client() as other:
        target = datetime.now(UTC) + timedelta(days=2)
        await mine.post("/v2/sandbox/clock", json={"now": target.isoformat()})
        assert await clock(other) < target - timedelta(days=1)


async def test_an_offer_comes_and_goes_with_the_chains_days(stack: Stack) -> None:
    """D7, D38: both days count whole, in the chain's home zone."""
    chain = await open_chain(stack, home_time_zone="America/Toronto")
    async with chain.client() as client:
        today = (await clock(client)).date()
        start, end = today + timedelta(days=10), today + timedelta(days=11)
        made = await client.post(
            "/v2/loyalty/offers",
            json={
                "idempotency_key": fresh_key(),
                "offer": {
                    "title": "Soin offert",
                    "start_date": start.isoformat(),
                    "end_date": end.isoformat(),
                },
            },
        )
        assert made.status_code == 200, made.text
        seen = []
        for moment in (
            f"{start}T03:00:00Z",
            f"{start}T16:00:00Z",
            f"{end}T23:00:00Z",
            f"{end + timedelta(days=1)}T06:00:00Z",
        ):
            await client.post("/v2/sandbox/clock", json={"now": moment})
            offers = await client.get("/v2/loyalty/offers", params={"visible_only": True})
            seen.append(len(offers.json()["offers"]))

    assert seen == [0, 1, 1, 0]


async def test_the_countdown_ends_with_the_chains_clock(stack: Stack) -> None:
    """LS-36: five minutes by the chain's clock, after which nothing is left to show."""
    chain = await open_chain(stack)
    async with chain.client() as client:
        tier = await make_tier(chain, client, 1)
        account = await enrol(chain, client)
        await earn(chain, client, account, 1)
        reward = (await take(client, account, tier["id"])).json()["reward"]
        await client.post(
            f"/v2/loyalty/rewards/{reward['id']}/redeem",
            json={"idempotency_key": fresh_key(), "location_id": chain.salon_id},
        )
        path = f"/v2/loyalty/rewards/{reward['id']}"
        running = (await client.get(path)).json()["reward"]
        later = datetime.now(UTC) + timedelta(minutes=6)
        await client.post("/v2/sandbox/clock", json={"now": later.isoformat()})
        over = (await client.get(path)).json()["reward"]

    assert 280 <= running["display_seconds_left"] <= 300
    assert "display_seconds_left" not in over
    assert over["status"] == "REDEEMED"


async def test_the_mailbox_shows_what_would_have_left(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    """A till's enrolment sends a welcome to the phone; the filters find it and no other."""
    phone, other = fresh_phone(), fresh_phone()
    await enrol(alices, client, phone)
    await enrol(alices, client, other)

    async def mail(**params: str) -> list[dict[str, str]]:
        answer = await client.get("/v2/sandbox/messages", params=params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, str]] = answer.json()["messages"]
        return found

    async with asyncio.timeout(15):
        while not (found := await mail(to=phone)):
            await asyncio.sleep(0.1)

    assert {message["to"] for message in found} == {phone}
    assert {message["channel"] for message in found} == {"SMS"}
    assert found[0]["kind"] == "WELCOME"
    assert await mail(to=phone, channel="EMAIL") == []
    journal = (await client.get("/v2/messages")).json()["messages"]
    assert phone not in str(journal)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [("Arrêt!", "stop"), ("YES merci", "start"), ("aide", "help"), ("?", "none")],
)
async def test_a_text_that_arrives_is_understood(
    alices: Chain, client: httpx.AsyncClient, text: str, keyword: str
) -> None:
    answer = await client.post(
        "/v2/sandbox/sms",
        json={
            "from": fresh_phone(),
            "to": alices.told["text_to_join"]["number"],
            "body": text,
        },
    )

    assert (answer.status_code, answer.json()) == (200, {"keyword": keyword})


async def test_a_yes_at_the_moment_of_joining_counts(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    """LS-79: a script joins and texts within milliseconds; each of these members is heard."""
    phones = [fresh_phone() for _ in range(4)]
    for phone in phones:
        await enrol(alices, client, phone)
        text = {"from": phone, "to": alices.told["text_to_join"]["number"], "body": "OUI"}
        assert (await client.post("/v2/sandbox/sms", json=text)).json() == {"keyword": "start"}
    for phone in phones:
        await mail_when(
            client, phone, lambda mail: any(one["kind"] == "KEYWORD_ANSWER" for one in mail)
        )


async def test_a_live_chain_has_no_sandbox(stack: Stack) -> None:
    live = await open_chain(stack, sandbox=False)
    async with live.client() as client:
        answers = [
            await client.get("/v2/sandbox/clock"),
            await client.post("/v2/sandbox/clock", json={"now": "2030-01-01T00:00:00Z"}),
            await client.get("/v2/sandbox/messages"),
            await client.post(
                "/v2/sandbox/sms",
                json={"from": "+15145550142", "to": "+15145550100", "body": "STOP"},
            ),
        ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert live.api_key.startswith("mk_live_")
