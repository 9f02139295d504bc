"""Signing in on a new phone, as its form is posted without JavaScript."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.chains import Chain, fresh_phone

pytestmark = pytest.mark.stack


async def test_who_asks_for_a_code_again_at_once_hears_that_one_is_on_its_way(
    alices: Chain,
) -> None:
    """A refusal says what to do: the newest code works, another one is for later."""
    number = fresh_phone()
    door = f"{alices.base_url}/m/{alices.told['chain_slug']}/signin"
    headers = {"Sec-Fetch-Site": "same-origin", "Accept-Language": "fr"}
    async with httpx.AsyncClient(headers=headers) as phone:
        assert (await phone.post(door, data={"contact": number})).status_code == 303
        answer = await phone.post(door, data={"contact": number})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "tapez le plus récent" in answer.text
