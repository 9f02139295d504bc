"""A chain for browser tests, made and read through the same doors as any client's."""

from __future__ import annotations

import asyncio
import io
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import zxingcpp
from PIL import Image

from tests.stack import Stack

POINTS_CODE = "407"
MULTI_POINT_CODE = "9182"
REWARDS = {5: "Soin revitalisant", 10: "Rabais de fidélité", 20: "Coupe offerte"}
SECONDS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Salon:
    """What a test knows of its chain."""

    url: str
    slug: str
    chain_id: str
    program_id: str
    salon_ids: list[str]
    tablet_url: str
    # What the printed QR codes say.
    join_link: str
    earn_links: list[str]
    offer_id: str
    # Of the panel: email and password.
    owner: dict[str, str]
    till: httpx.AsyncClient

    @property
    def app(self) -> str:
        """The mobile URL."""
        return f"{self.url}/m/{self.slug}"

    @property
    def earn_link(self) -> str:
        """The earn QR at the counter of the first salon."""
        return self.earn_links[0]

    async def code_for(self, address: str) -> str:
        """The newest one-time code that left for this phone or e-mail."""
        for _ in range(SECONDS_MAX * 10):
            answer = await self.till.get("/v2/sandbox/messages")
            for message in answer.raise_for_status().json()["messages"]:
                code = re.search(r"\b\d{6}\b", message["body"])
                if message["to"].endswith(address[-10:]) and code:
                    return code.group()
            await asyncio.sleep(0.1)
        raise AssertionError("no code has arrived")

    async def account_of(self, phone: str) -> dict[str, Any]:
        """The member's account as a till sees it, as soon as news of her has opened it."""
        query = {"query": {"mappings": [{"phone_number": f"+1{phone}"}]}}
        for _ in range(SECONDS_MAX * 10):
            answer = await self.till.post("/v2/loyalty/accounts/search", json=query)
            accounts: list[dict[str, Any]] = answer.raise_for_status().json()["loyalty_accounts"]
            if accounts:
                return accounts[0]
            await asyncio.sleep(0.1)
        raise AssertionError("she has no account")

    async def balance_of(self, phone: str) -> int:
        """What the ledger says."""
        return int((await self.account_of(phone))["balance"])

    async def give(self, phone: str, points: int) -> None:
        """Points from the till."""
        account = await self.account_of(phone)
        answer = await self.till.post(
            f"/v2/loyalty/accounts/{account['id']}/accumulate",
            json={
                "idempotency_key": str(uuid4()),
                "location_id": self.salon_ids[0],
                "accumulate_points": {"points": points},
            },
        )
        answer.raise_for_status()


def new_phone_number() -> str:
    """A Quebec number that no other test has."""
    return f"418{random.randrange(200, 999)}{random.randrange(10_000):04d}"


def read_qr(png: bytes) -> str:
    """What any decoder reads in a downloaded QR."""
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    return str(found[0].text)


@asynccontextmanager
async def open_salon(stack: Stack) -> AsyncIterator[Salon]:
    """Make a chain by the operator's call, its rewards and offer by the API, read its posters."""
    owner = {"email": f"{uuid4().hex}@salon.test", "password": "une longue phrase de passe"}
    wish = {
        "idempotency_key": str(uuid4()),
        "name": "Salon Lumière",
        "sandbox": True,
        "plan": "PRO",
        "brand_color": "#b4446c",
        "owner": owner,
        "salons": [{"name": "Plateau"}, {"name": "Vieux-Québec"}],
        "program": {"points_code": POINTS_CODE, "multi_point_code": MULTI_POINT_CODE},
    }
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=40) as operator:
        answer = await operator.post(
            "/v2/operator/chains",
            json=wish,
            headers={"authorization": f"Bearer {stack.operator_key}"},
        )
        made = answer.raise_for_status().json()
    headers = {"authorization": f"Bearer {made['api_key']}"}
    async with httpx.AsyncClient(base_url=stack.base_url, headers=headers, timeout=20) as till:
        offer_id = await _offer_rewards(till, made["program_id"])
        join_link, earn_links = await _posters(stack.base_url, owner, made)
        yield Salon(
            url=stack.base_url,
            slug=made["chain_slug"],
            chain_id=made["chain_id"],
            program_id=made["program_id"],
            salon_ids=made["location_ids"],
            tablet_url=made["tablet_url"],
            join_link=join_link,
            earn_links=earn_links,
            offer_id=offer_id,
            owner=owner,
            till=till,
        )


async def _offer_rewards(till: httpx.AsyncClient, program_id: str) -> str:
    tiers = [{"name": name, "points": points} for points, name in REWARDS.items()]
    answer = await till.put(
        f"/v2/loyalty/programs/{program_id}",
        json={"idempotency_key": str(uuid4()), "program": {"reward_tiers": tiers}},
    )
    answer.raise_for_status()
    offer = {
        "title": "Deux soins pour un",
        "description": "Amenez une amie.",
        "exclusion": "Sauf le samedi.",
        "start_date": "2020-01-01",
        "end_date": "2099-12-31",
        "coupon_expiry_date": "2099-12-31",
    }
    answer = await till.post(
        "/v2/loyalty/offers", json={"idempotency_key": str(uuid4()), "offer": offer}
    )
    return str(answer.raise_for_status().json()["offer"]["id"])


async def _posters(url: str, owner: dict[str, str], made: dict[str, Any]) -> tuple[str, list[str]]:
    """The join QR and each salon's earn QR, downloaded from the panel and read (LS-16, LS-23)."""
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as panel:
        await panel.post("/signin", data=owner)
        join = await panel.get("/admin/qr/join.png")
        earns = [
            await panel.get(f"/admin/programs/{made['program_id']}/earn/{salon_id}.png")
            for salon_id in made["location_ids"]
        ]
        return read_qr(join.content), [read_qr(earn.content) for earn in earns]
