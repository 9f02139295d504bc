"""What members of a sandbox chain are told, from a till's request to the mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.e2e.chains import earn, enrol, fresh_phone, open_chain
from tests.e2e.sales import set_rules, spend
from tests.stack import Stack

pytestmark = pytest.mark.stack

TORONTO = ZoneInfo("America/Toronto")
Mail = list[dict[str, str]]


async def mail_when(client: httpx.AsyncClient, phone: str, ready: Callable[[Mail], bool]) -> Mail:
    """The messages to a phone, oldest first, as soon as they are as expected."""
    async with asyncio.timeout(20):
        while True:
            answer = await client.get("/v2/sandbox/messages", params={"to": phone})
            assert answer.status_code == 200, answer.text
            found: Mail = answer.json()["messages"][::-1]
            if ready(found):
                return found
            await asyncio.sleep(0.1)


def several(count: int) -> Callable[[Mail], bool]:
    return lambda found: len(found) >= count


async def test_an_enrolment_with_points_is_one_text_and_the_next_visit_another(
    stack: Stack,
) -> None:
    """SQ-27, D20: "inscrit", the points and the link in one SMS; then points, balance, link."""
    chain = await open_chain(stack)
    phone = fresh_phone()
    async with chain.client() as client:
        account = await enrol(chain, client, phone)
        await earn(chain, client, account, 1)
        (first,) = await mail_when(client, phone, several(1))
        await earn(chain, client, account, 2)
        _, second = await mail_when(client, phone, several(2))

    for word in ("inscrit", "1 point", "/m/"):
        assert word in first["body"]
    assert (first["channel"], second["kind"]) == ("SMS", "RECEIPT")
    assert "2 points" in second["body"]
    assert "Solde: 3" in second["body"]


async def test_a_walk_through_time_warns_on_the_right_day(stack: Stack) -> None:
    """SQ-67, W2: sixteen days before the last day, by the chain's clock, and once."""
    chain = await open_chain(stack)
    phone = fresh_phone()
    async with chain.client() as client:
        await set_rules(client, spend(), expiration_policy={"expiration_duration": "P3M"})
        account = await enrol(chain, client, phone)
        await earn(chain, client, account, 100)
        await mail_when(client, phone, several(1))
        shown = (await client.get(f"/v2/loyalty/accounts/{account}")).json()["loyalty_account"]
        (deadline,) = shown["expiring_point_deadlines"]
        last_day = datetime.fromisoformat(deadline["last_day"]).date()
        walked = await client.post("/v2/sandbox/clock", json={"now": deadline["expires_at"]})
        assert walked.status_code == 200, walked.text
        told = await mail_when(client, phone, several(2))

    warnings = [one for one in told if one["kind"] == "EXPIRY_WARNING"]
    (warning,) = warnings
    day = datetime.fromisoformat(warning["created_at"]).astimezone(TORONTO).date()
    assert last_day - day == timedelta(days=16)
    assert "100 points expirent le " in warning["body"]
    assert str(last_day.year) in warning["body"]


async def test_a_keyword_is_answered_with_a_form_that_knows_the_phone(stack: Stack) -> None:
    """LS-20, LS-21, LS-41: JOIGNEZ in any spelling; the link opens the form, the phone in it."""
    chain = await open_chain(stack)
    phone = fresh_phone()
    door = f"/v2/operator/chains/{chain.told['chain_id']}/text-to-join"
    operator = {"Authorization": f"Bearer {stack.operator_key}"}
    async with chain.client() as client:
        given = await client.put(door, json={}, headers=operator)
        assert given.status_code == 200, given.text
        number = given.json()["text_to_join"]["number"]
        text = {"from": phone, "to": number, "body": "  joignez! "}
        assert (await client.post("/v2/sandbox/sms", json=text)).status_code == 200
        (answer,) = await mail_when(client, phone, several(1))
        link = next(word for word in answer["body"].split() if "/join?" in word)
        async with httpx.AsyncClient(follow_redirects=True) as visitor:
            page = (await visitor.get(link)).text
            altered = (await visitor.get(f"{link}x")).text

    assert answer["kind"] == "TEXT_TO_JOIN"
    assert phone.removeprefix("+") not in link
    assert f'value="{phone}"' in page
    assert 'value="sms"' in page
    assert phone not in altered
