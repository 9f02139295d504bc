"""What members of a sandbox chain are told, from a till's request to the mailbox."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4
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


async def test_who_joins_by_the_texted_link_is_reachable_at_once(stack: Stack) -> None:
    """LS-21, LS-60, D18: the link came to her phone; an offer reaches her without a code."""
    chain = await open_chain(stack)
    phone = fresh_phone()
    door = f"/v2/operator/chains/{chain.told['chain_id']}/text-to-join"
    async with chain.client() as client:
        operator = {"Authorization": f"Bearer {stack.operator_key}"}
        given = await client.put(door, json={}, headers=operator)
        number = given.json()["text_to_join"]["number"]
        text = {"from": phone, "to": number, "body": "JOIGNEZ"}
        assert (await client.post("/v2/sandbox/sms", json=text)).status_code == 200
        (answer,) = await mail_when(client, phone, several(1))
        link = next(word for word in answer["body"].split() if "/join?" in word)
        async with httpx.AsyncClient(follow_redirects=True) as visitor:
            form = hidden((await visitor.get(link)).text) | {"phone": phone, "consent_sms": "1"}
            joined = await visitor.post(link.partition("?")[0], data=form)
            assert joined.status_code == 200, joined.text
            account = (await visitor.get(f"{link.partition('/join')[0]}/account")).text
        assert "à confirmer" not in account
        await mail_when(client, phone, several(2))
        send = {"idempotency_key": str(uuid4()), "send": {"sms_body": "{{ chain }}: du neuf"}}
        shown = await client.post("/v2/messages/sends/preview", json={"send": send["send"]})
        made = await client.post("/v2/messages/sends", json=send)
        assert made.status_code == 200, made.text
        told = await mail_when(client, phone, several(3))
    assert told[-1]["body"].endswith("du neuf ARRET pour cesser")
    assert shown.json()["texts"] == 1
    (text,) = (one for one in shown.json()["messages"] if one["reachable"])
    assert (text["channel"], text["language_code"], text["segments"]) == ("SMS", "fr", 1)
    assert text["body"] == told[-1]["body"]


async def test_a_send_is_previewed_for_what_is_wrong_with_it(client: httpx.AsyncClient) -> None:
    """LS-61: each fault at its field, before anything leaves."""
    for words, code, field in (
        ({"sms_body": "x" * 1_001}, "VALUE_TOO_LONG", "send.sms_body"),
        ({"sms_body": "{{ nobody }}"}, "INVALID_VALUE", "send.sms_body"),
        ({"offer_id": str(uuid4())}, "NOT_FOUND", "send.offer_id"),
    ):
        answer = await client.post("/v2/messages/sends/preview", json={"send": words})
        (told,) = answer.json()["errors"]
        assert (told["code"], told["field"]) == (code, field)


async def test_a_filter_that_cannot_be_is_named_as_its_caller_wrote_it(
    client: httpx.AsyncClient,
) -> None:
    """LS-60: in a send, its preview and a search alike."""
    for wanted, field in (
        ({"filter": {"location_ids": ["here"]}}, "filter.location_ids"),
        ({"filter": {"tier_ids": ["gold"]}}, "filter.tier_ids"),
        ({"filter": {"visited_within_days": 2**31 - 1}}, "filter.visited_within_days"),
        ({"customer_ids": ["she"]}, "customer_ids"),
        ({"excluded_customer_ids": ["she"]}, "excluded_customer_ids"),
    ):
        send = {"send": {"sms_body": "{{ chain }}", **wanted}}
        shown = await client.post("/v2/messages/sends/preview", json=send)
        made = await client.post(
            "/v2/messages/sends", json={"idempotency_key": str(uuid4()), **send}
        )
        for answer in (shown, made):
            assert answer.json()["errors"][0]["field"] == f"send.{field}"
        if "filter" in wanted:
            found = await client.post("/v2/messages/audience", json=wanted)
            assert found.json()["errors"][0]["field"] == field


async def test_the_welcome_email_confirms_its_address_by_one_press(stack: Stack) -> None:
    """D18: opening the link changes nothing, the button does; a wrong link says what is wrong."""
    chain = await open_chain(stack)
    email = f"alice-{uuid4().hex[:8]}@example.com"
    async with chain.client() as client, httpx.AsyncClient(follow_redirects=True) as visitor:
        base = chain.told["member_url"]
        form = hidden((await visitor.get(f"{base}/join")).text)
        joined = await visitor.post(f"{base}/join", data=form | {"email": email})
        assert joined.status_code == 200, joined.text
        (welcome,) = await mail_when(client, email, several(1))
        link = next(word for word in welcome["body"].split() if "/confirm/" in word)
        page = await visitor.get(link)
        assert (page.status_code, email in link) == (200, False)
        assert "à confirmer" in (await visitor.get(f"{base}/account")).text
        async with httpx.AsyncClient() as stranger:
            for _ in range(2):
                done = await stranger.post(link, headers={"accept-language": "fr"})
                assert done.status_code == 200, done.text
                assert "confirmée" in done.text
            wrong = await stranger.post(f"{link}x", headers={"accept-language": "en"})
        assert wrong.status_code == 404
        assert "not one of ours" in wrong.text
        assert "à confirmer" not in (await visitor.get(f"{base}/account")).text


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
