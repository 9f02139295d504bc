"""What the owner's panel says of her plan, of phones, and of a send that waits."""

from __future__ import annotations

import asyncio
from datetime import date

import httpx
import pytest

from tests.e2e.chains import Chain, enrol, fresh_key, fresh_phone, open_chain
from tests.e2e.pages import at_panel, code_for, hidden, visitor, words
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    ("language", "told"), [("fr", "Votre forfait : Partant."), ("en", "Your plan: Partant.")]
)
async def test_a_page_that_the_plan_closes_names_the_plan(
    stack: Stack, language: str, told: str
) -> None:
    """LS-64, LS-71, D25."""
    chain = await open_chain(stack, plan="PARTANT")
    async with at_panel(chain, language) as browser:
        for path in ("/admin/scheduled", "/admin/text-to-join"):
            assert told in words(await browser.get(path))


async def test_the_list_of_members_writes_phones_as_people_read_them(alices: Chain) -> None:
    """LS-80: by groups, as her own pages do; she is found by the digits alone."""
    phone = fresh_phone()
    async with alices.client() as client:
        await enrol(alices, client, phone)
    async with at_panel(alices) as browser:
        listed = words(await browser.get("/admin/members", params={"query": phone[-7:]}))
    assert f"+1 {phone[2:5]}-{phone[5:8]}-{phone[8:]}" in listed
    assert phone not in listed


async def agreed(chain: Chain) -> str:
    """A member who ticked the box for texts and proved her phone; her number."""
    phone = fresh_phone()
    door = f"/m/{chain.told['chain_slug']}"
    async with visitor(chain) as browser:
        form = hidden(await browser.get(f"{door}/join"))
        await browser.post(f"{door}/join", data={**form, "phone": phone, "consent_sms": "1"})
        await browser.post(f"{door}/signin", data={"contact": phone})
        await browser.post(f"{door}/code", data={"code": await code_for(chain, phone)})
    return phone


async def reachable(client: httpx.AsyncClient, phones: list[str]) -> list[str]:
    """The ids of these members, as soon as messages know that they may be told of offers."""
    found = (await client.get("/v2/customers", params={"limit": 100})).json()["customers"]
    ids = {one["id"] for one in found if one.get("phone_number") in phones}
    async with asyncio.timeout(20):
        while True:
            audience = await client.post("/v2/messages/audience", json={"limit": 200})
            listed = audience.json()["customers"]
            reached = {one["customer_id"] for one in listed if "barrier" not in one}
            if ids <= reached:
                return sorted(ids)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", "La limite de {cap} textos par jour est atteinte : le reste part demain matin"),
        ("en", "The limit of {cap} texts a day is reached: the rest leaves tomorrow morning"),
    ],
)
async def test_a_send_that_the_daily_limit_holds_says_so(
    later: tuple[Chain, date], language: str, told: str
) -> None:
    """SQ-06: the report names the limit, and when the rest leaves."""
    chain, _day = later
    phones = [await agreed(chain) for _ in range(2)]
    async with chain.client() as client:
        ids = await reachable(client, phones)
        before = (await client.get("/v2/messages/settings")).json()
        cap = before["sms_today"] + 1
        await client.put("/v2/messages/settings", json={"settings": {"daily_sms_cap": cap}})
        made = await client.post(
            "/v2/messages/sends",
            json={
                "idempotency_key": fresh_key(),
                "send": {"customer_ids": ids, "sms_body": "{{ chain }}: bonjour"},
            },
        )
        assert made.status_code == 200, made.text
        path = f"/admin/sends/{made.json()['send']['id']}"
        async with asyncio.timeout(20), at_panel(chain, language) as browser:
            while told.format(cap=cap) not in words(await browser.get(path)):
                await asyncio.sleep(0.2)
        await client.put("/v2/messages/settings", json={"settings": {"daily_sms_cap": 0}})
