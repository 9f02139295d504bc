"""A member with her phone: she joins by the form and uses the pages as they come."""

from __future__ import annotations

import re
from typing import Self
from uuid import uuid4

import httpx

from tests.chaos.tills import Chain, Till, fresh_phone

_LEFT = re.compile(r'data-left="(\d+)"')


class Phone:
    """One browser without scripts, signed in as a member of its own."""

    def __init__(self, chain: Chain, *, timeout: float = 15.0) -> None:
        self._chain = chain
        self.number = fresh_phone()
        self.client = httpx.AsyncClient(
            base_url=chain.base_url,
            timeout=timeout,
            headers={"Origin": chain.base_url, "Accept-Language": "fr"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def join(self) -> None:
        """Become a member by the form."""
        form = {"k": str(uuid4()), "phone": self.number}
        answer = await self.client.post(f"{self._chain.member_path}/join", data=form)
        assert answer.status_code == 303, answer.text
        assert answer.cookies, "she is not signed in"

    async def account(self, till: Till) -> str:
        """Her account, as a till finds it by her phone."""
        query = {"mappings": [{"phone_number": self.number}]}
        found = await till.done("POST", "/v2/loyalty/accounts/search", {"query": query})
        return str(found["loyalty_accounts"][0]["id"])

    async def ask_one_time_code(self) -> httpx.Response:
        """On a new phone: have a code sent to her number."""
        form = {"contact": self.number}
        return await self.client.post(f"{self._chain.member_path}/signin", data=form)

    async def type_code(self, points_code: str) -> httpx.Response:
        """ "QR ne fonctionne pas? Cliquez ici": one point by the typed code."""
        form = {"k": str(uuid4()), "points_code": points_code, "points": "1"}
        return await self.client.post(f"{self._chain.member_path}/manual", data=form)

    async def seconds_left(self, reward: str) -> int | None:
        """The countdown on her screen; None when the reward is gone from it."""
        answer = await self.client.get(f"{self._chain.member_path}/rewards/{reward}")
        shown = _LEFT.search(answer.text) if answer.status_code == 200 else None
        return int(shown.group(1)) if shown else None
