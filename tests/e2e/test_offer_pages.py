"""Offers on the pages of a chain whose clock runs ahead: at the panel, and by their links."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import httpx
import pytest

from tests.e2e.chains import Chain, fresh_key, open_chain
from tests.stack import Stack

pytestmark = pytest.mark.stack

# Ahead of the machine's clock by this much, and noon of that day in Toronto.
AHEAD = timedelta(days=40)


@pytest.fixture(scope="session")
async def later(stack: Stack) -> tuple[Chain, date]:
    """A chain whose clock was moved, and its day."""
    chain = await open_chain(stack, "Salon Demain")
    async with chain.client() as client:
        now = (await client.get("/v2/sandbox/clock")).json()["now"]
        day = date.fromisoformat(now[:10]) + AHEAD
        moved = await client.post("/v2/sandbox/clock", json={"now": f"{day}T17:00:00Z"})
        assert moved.status_code == 200, moved.text
    return chain, day


async def offer(chain: Chain, title: str, first: date, last: date, **said: object) -> str:
    wanted = {"title": title, "start_date": f"{first}", "end_date": f"{last}", **said}
    async with chain.client() as client:
        answer = await client.post(
            "/v2/loyalty/offers", json={"idempotency_key": fresh_key(), "offer": wanted}
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["offer"]["id"])


@asynccontextmanager
async def visitor(chain: Chain, language: str = "fr") -> AsyncIterator[httpx.AsyncClient]:
    """A browser that follows redirects and keeps its cookies."""
    async with httpx.AsyncClient(
        base_url=chain.base_url,
        headers={"Origin": chain.base_url, "Accept-Language": language, "Accept": "text/html"},
        follow_redirects=True,
        timeout=30,
    ) as client:
        yield client


def words(page: httpx.Response) -> str:
    """What a page says, in one line."""
    text = re.sub(r"<[^>]*>", " ", page.text.partition("<main")[2])
    return re.sub(r"\s+", " ", text)


async def test_the_panel_tags_offers_by_the_chains_own_day(later: tuple[Chain, date]) -> None:
    """LS-52, LS-67: what is over on the chain's day is over, and no birthday can have it."""
    chain, day = later
    week = timedelta(days=7)
    await offer(chain, "Hier encore", day - week, day - timedelta(days=1))
    await offer(chain, "En cours", day - week, day)
    await offer(chain, "Bientôt", day + timedelta(days=1), day + week)
    await offer(chain, "Sous le manteau", day, day, shown_in_app=False)
    owner = chain.told["owner"]
    async with visitor(chain) as browser:
        credentials = {"email": owner["email"], "password": owner["password"]}
        await browser.post("/signin", data=credentials)
        listed = (await browser.get("/admin/offers")).text
        choices = words(await browser.get("/admin/scheduled/new"))
    tags = re.findall(r'<h2>([^<]*)</h2>.*?class="badge[^>]*>([^<]*)<', listed, re.DOTALL)
    assert dict(tags) == {
        "Hier encore": "Terminée",
        "En cours": "Visible maintenant",
        "Bientôt": "À venir",
        "Sous le manteau": "Pas dans l’application",
    }
    assert "Bientôt (du" in choices
    assert "Hier encore" not in choices
