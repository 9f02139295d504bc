"""Signing in on a new phone, as its form is posted without JavaScript."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.chains import Chain, fresh_key, fresh_phone
from tests.e2e.pages import code_for

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


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", "Cet appareil a été déconnecté de votre compte, parce que"),
        ("en", "You were signed out on this device, because"),
    ],
)
async def test_a_phone_that_was_never_confirmed_says_why_it_is_signed_out(
    alices: Chain, language: str, told: str
) -> None:
    """D34: she signs in with a code in another browser; the first one says so, and how to return.

    Who never was signed in there reads nothing of it.
    """
    number = fresh_phone()
    door = f"/m/{alices.told['chain_slug']}"
    headers = {"Origin": alices.base_url, "Accept-Language": language}
    first, second, stranger = (
        httpx.AsyncClient(base_url=alices.base_url, headers=headers, follow_redirects=True)
        for _ in range(3)
    )
    async with first, second, stranger:
        joined = await first.post(f"{door}/join", data={"k": fresh_key(), "phone": number})
        assert told not in joined.text
        await second.post(f"{door}/signin", data={"contact": number})
        code = await code_for(alices, number)
        await second.post(f"{door}/code", data={"code": code})
        landed = await first.get(f"{door}/card")
        other = await stranger.get(f"{door}/card")

    assert told in landed.text
    assert f'class="button" href="{door}/signin?next=' in landed.text
    assert told not in other.text
