"""Pages as a browser without scripts reads them: what they say, and the forms that they send."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.e2e.chains import Chain
from tests.e2e.test_messages import mail_when


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


@asynccontextmanager
async def at_panel(chain: Chain, language: str = "fr") -> AsyncIterator[httpx.AsyncClient]:
    """The owner's browser, signed in; its pages are in this language."""
    owner = chain.told["owner"]
    async with visitor(chain, language) as browser:
        credentials = {"email": owner["email"], "password": owner["password"]}
        signed_in = await browser.post(f"/signin?lang={language}", data=credentials)
        assert signed_in.url.path == "/admin", signed_in.url
        await browser.get(f"/admin?lang={language}")
        yield browser


def words(page: httpx.Response) -> str:
    """What a page says, in one line."""
    text = re.sub(r"<[^>]*>", " ", page.text.partition("<main")[2])
    return re.sub(r"\s+", " ", text)


def hidden(page: httpx.Response) -> dict[str, str]:
    """What a form of the page sends by itself."""
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))


async def code_for(chain: Chain, phone: str) -> str:
    """The one-time code that came to a phone."""
    async with chain.client() as client:
        mail = await mail_when(
            client, phone, lambda mail: any(one["kind"] == "ONE_TIME_CODE" for one in mail)
        )
    code = re.search(
        r"\b\d{6}\b", [one["body"] for one in mail if one["kind"] == "ONE_TIME_CODE"][-1]
    )
    assert code is not None
    return code.group()
