"""A year of a sandbox chain by its own clock: every message the right one, on its day."""

from __future__ import annotations

import re
import time
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.e2e.chains import Chain, earn, enrol, fresh_key, fresh_phone, open_chain
from tests.e2e.sales import set_rules, spend
from tests.e2e.test_messages import mail_when, several
from tests.stack import Stack

pytestmark = pytest.mark.stack

TORONTO = ZoneInfo("America/Toronto")
SECONDS_MAX = 60
POINTS = 100


async def walk(client: httpx.AsyncClient, day: date) -> None:
    """Go to noon of a day in the salon."""
    noon = datetime.combine(day, clock_time(12), TORONTO)
    answer = await client.post("/v2/sandbox/clock", json={"now": noon.isoformat()}, timeout=60)
    assert answer.status_code == 200, answer.text


async def today(client: httpx.AsyncClient) -> date:
    now = datetime.fromisoformat((await client.get("/v2/sandbox/clock")).json()["now"])
    return now.astimezone(TORONTO).date()


async def born(client: httpx.AsyncClient, account_id: str, birthday: date) -> None:
    """Her birthday in the directory."""
    account = (await client.get(f"/v2/loyalty/accounts/{account_id}")).json()["loyalty_account"]
    answer = await client.put(
        f"/v2/customers/{account['customer_id']}", json={"birthday": f"{birthday:%m-%d}"}
    )
    assert answer.status_code == 200, answer.text


async def prove(chain: Chain, client: httpx.AsyncClient, phone: str) -> None:
    """She signs in with the code that comes to her phone: it is hers."""
    door = f"/m/{chain.told['chain_slug']}"
    headers = {"Origin": chain.base_url}
    async with httpx.AsyncClient(base_url=chain.base_url, timeout=30, headers=headers) as her:
        asked = await her.post(f"{door}/signin", data={"contact": phone})
        assert asked.status_code == 303, asked.text
        mail = await mail_when(
            client, phone, lambda mail: any(one["kind"] == "ONE_TIME_CODE" for one in mail)
        )
        (text,) = [one["body"] for one in mail if one["kind"] == "ONE_TIME_CODE"]
        found = re.search(r"\b\d{6}\b", text)
        assert found is not None, text
        page = await her.get(asked.headers["location"])
        action = re.search(r'<form[^>]*action="([^"]*/(?:verify|code))"', page.text)
        assert action is not None, page.text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        proved = await her.post(action[1], data={**dict(hidden), "code": found[0]})
        assert proved.status_code == 303, proved.text


async def agree(client: httpx.AsyncClient, chain: Chain, phone: str) -> None:
    """YES from her own phone."""
    answer = await client.post(
        "/v2/sandbox/sms",
        json={"from": phone, "to": chain.told["text_to_join"]["number"], "body": "OUI"},
    )
    assert answer.json() == {"keyword": "start"}, answer.text


async def offer(client: httpx.AsyncClient, first: date, last: date) -> str:
    answer = await client.post(
        "/v2/loyalty/offers",
        json={
            "idempotency_key": fresh_key(),
            "offer": {
                "title": "Soin offert",
                "start_date": first.isoformat(),
                "end_date": last.isoformat(),
            },
        },
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["offer"]["id"])


async def plan_send(client: httpx.AsyncClient, offer_id: str, day: date) -> None:
    """The offer goes to everybody on a day at noon."""
    noon = datetime.combine(day, clock_time(12), TORONTO)
    body = {"offer_id": offer_id, "send_at": noon.isoformat()}
    answer = await client.post(
        "/v2/messages/sends", json={"idempotency_key": fresh_key(), "send": body}
    )
    assert answer.status_code == 200, answer.text


def told_on(mail: list[dict[str, str]]) -> list[tuple[str, date]]:
    """Kind and day of each message."""
    return [
        (one["kind"], datetime.fromisoformat(one["created_at"]).astimezone(TORONTO).date())
        for one in mail
    ]


@pytest.mark.timeout(180)
async def test_a_year_passes_and_every_message_comes_on_its_day(stack: Stack) -> None:
    """LS-64 to LS-70, SQ-67, LS-60, LS-63, D38: in under a minute."""
    started = time.monotonic()
    chain = await open_chain(stack)
    phone = fresh_phone()
    async with chain.client() as client:
        start = await today(client)
        birthday, visit = start + timedelta(days=40), start + timedelta(days=200)
        await set_rules(
            client,
            spend(),
            expiration_policy={"expiration_duration": "P3M"},
            tiers=[{"name": "Bronze", "threshold": 0}, {"name": "Or", "threshold": 150}],
        )
        account = await enrol(chain, client, phone)
        await born(client, account, birthday)
        await earn(chain, client, account, POINTS)
        await mail_when(client, phone, several(1))
        await prove(chain, client, phone)
        await agree(client, chain, phone)
        await mail_when(client, phone, several(3))
        planned = await client.post(
            "/v2/messages/scheduled",
            json={
                "idempotency_key": fresh_key(),
                "scheduled_message": {"sms_body": "{{ chain }}: bonne fête!"},
            },
        )
        assert planned.status_code == 200, planned.text
        sent_on = start + timedelta(days=130)
        offer_id = await offer(client, sent_on, sent_on + timedelta(days=30))
        await plan_send(client, offer_id, sent_on)
        shown = (await client.get(f"/v2/loyalty/accounts/{account}")).json()["loyalty_account"]
        last_day = date.fromisoformat(shown["expiring_point_deadlines"][0]["last_day"])

        await walk(client, visit)
        await earn(chain, client, account, POINTS)
        before = await mail_when(
            client, phone, lambda mail: {"TIER_CHANGE", "RECEIPT"} <= {o["kind"] for o in mail}
        )
        await walk(client, start + timedelta(days=364))
        mail = await mail_when(client, phone, several(len(before) + 1))

    told = [one for one in told_on(mail) if one[0] not in {"KEYWORD_ANSWER", "ONE_TIME_CODE"}]
    for kind, day in (
        ("BIRTHDAY", birthday),
        ("OFFER", sent_on),
        ("TIER_CHANGE", visit),
        ("RECEIPT", visit),
        ("WELCOME", start),
    ):
        assert [one for one in told if one[0] == kind] == [(kind, day)]
    warnings = [day for kind, day in told if kind == "EXPIRY_WARNING"]
    assert warnings[0] == last_day - timedelta(days=16)
    assert len(warnings) == 2
    assert len(told) == 7
    assert time.monotonic() - started < SECONDS_MAX
