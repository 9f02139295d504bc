"""Signing in on a new phone, as its form is posted without JavaScript."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.chains import Chain, fresh_key, fresh_phone
from tests.e2e.pages import code_for, hidden, visitor

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


async def test_who_has_a_code_under_way_finds_its_box_wherever_she_asks_again(
    alices: Chain,
) -> None:
    """D34: she went back and pressed again: the code that came is still good, and takes her on."""
    number = fresh_phone()
    door = f"/m/{alices.told['chain_slug']}"
    async with visitor(alices) as browser, visitor(alices) as other:
        await browser.post(f"{door}/join", data={"k": fresh_key(), "phone": number})
        await browser.post(f"{door}/verify", data={"next": f"{door}/card"})
        for again in ("verify", "code/again"):
            shown = await browser.post(f"{door}/{again}", data={"next": f"{door}/account"})
            assert shown.status_code == 429
            assert "tapez le plus récent" in shown.text
            assert f'action="{door}/code"' in shown.text
        await browser.post(f"{door}/verify", data={"next": f"{door}/account"})
        for path, said in (("signin", {"contact": number}), ("join", {"phone": number})):
            form = await other.post(f"{door}/{path}", data={"k": fresh_key(), **said})
            assert form.status_code == 429
            assert "tapez le plus récent" in form.text
            assert f'action="{door}/{path}"' in form.text
        code = await code_for(alices, number)
        landed = await browser.post(f"{door}/code", data={"code": code})
    assert landed.url.path == f"{door}/account"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/admin",
        "{0}//x",
        "{0}/..",
        "{0}/../other/join",
        "{0}/%2E%2e/other?x",
        "{0}/.",
    ],
)
async def test_she_goes_back_to_pages_of_her_own_chain_alone(alices: Chain, elsewhere: str) -> None:
    """Browsers climb with two points, also where these are written as %2e."""
    door = f"/m/{alices.told['chain_slug']}"
    async with visitor(alices) as browser:
        asked = await browser.get(f"{door}/signin", params={"next": elsewhere.format(door)})
        assert "next" not in hidden(asked)
        asked = await browser.get(f"{door}/signin", params={"next": f"{door}/offers?a=1..2"})
        assert hidden(asked)["next"] == f"{door}/offers?a=1..2"


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
