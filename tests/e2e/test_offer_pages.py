"""Offers on the pages of a chain whose clock runs ahead: at the panel, and by their links."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from services.gateway.web.i18n import format_date
from tests.e2e.chains import Chain, fresh_key, fresh_phone
from tests.e2e.pages import at_panel, code_for, hidden, visitor, words

pytestmark = pytest.mark.stack


async def offer(chain: Chain, title: str, first: date, last: date, **said: object) -> str:
    wanted = {"title": title, "start_date": f"{first}", "end_date": f"{last}", **said}
    async with chain.client() as client:
        answer = await client.post(
            "/v2/loyalty/offers", json={"idempotency_key": fresh_key(), "offer": wanted}
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["offer"]["id"])


async def test_the_panel_tags_offers_by_the_chains_own_day(later: tuple[Chain, date]) -> None:
    """LS-52, LS-67: what is over on the chain's day is over, and no birthday can have it."""
    chain, day = later
    week = timedelta(days=7)
    await offer(chain, "Hier encore", day - week, day - timedelta(days=1))
    await offer(chain, "En cours", day - week, day)
    await offer(chain, "Bientôt", day + timedelta(days=1), day + week)
    await offer(chain, "Sous le manteau", day, day, shown_in_app=False)
    async with at_panel(chain) as browser:
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


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_link_to_an_offer_that_is_closed_says_why(
    later: tuple[Chain, date], language: str
) -> None:
    """LS-63, LS-67: not begun and from which day, over and since when, taken back.

    Who becomes a member then came by that link all the same (D24).
    """
    chain, day = later
    week = timedelta(days=7)
    over = await offer(chain, "Finie", day - week, day - timedelta(days=1))
    ahead = await offer(chain, "Demain", day + timedelta(days=1), day + week)
    gone = await offer(chain, "Retirée", day, day)
    async with chain.client() as client:
        assert (await client.delete(f"/v2/loyalty/offers/{gone}")).status_code == 200
    told = {
        "fr": {
            over: "Cette offre a pris fin le",
            ahead: "Cette offre commence le",
            gone: "Le salon ne propose plus cette offre.",
        },
        "en": {
            over: "This offer ended on",
            ahead: "This offer begins on",
            gone: "The salon no longer has this offer.",
        },
    }[language]
    days = {over: day - timedelta(days=1), ahead: day + timedelta(days=1)}
    door = f"/m/{chain.told['chain_slug']}"
    async with visitor(chain, language) as browser:
        for offer_id, reason in told.items():
            page = await browser.get(f"{door}/offers/{offer_id}")
            assert page.status_code == 200
            assert reason in words(page)
            if offer_id in days:
                assert format_date(days[offer_id], language) in words(page)
            assert f'href="{door}/join?next={door}/offers"' in page.text
        marked = await browser.get(f"{door}/offers/{over}?s=sms")
        assert f'href="{door}/join?next={door}/offers&amp;s=sms"' in marked.text
        assert (await browser.get(f"{door}/offers/{fresh_key()}")).status_code == 404
        assert (await browser.get(f"{door}/offers/nothing")).status_code == 404


async def test_an_offer_that_the_app_does_not_list_opens_by_its_link(
    later: tuple[Chain, date],
) -> None:
    """LS-57, LS-59, D24: the tap on a phone that is not signed in is not lost."""
    chain, day = later
    unlisted = await offer(chain, "Pour vous seule", day, day, shown_in_app=False)
    door = f"/m/{chain.told['chain_slug']}"
    phone = fresh_phone()
    async with visitor(chain) as browser:
        asked = await browser.get(f"{door}/offers/{unlisted}?s=sms")
        assert "L’offre « Pour vous seule » vous attend" in words(asked)
        assert hidden(asked)["s"] == "sms"
        sign_in = await browser.get(f"{door}/signin?next={door}/offers/{unlisted}")
        assert "L’offre « Pour vous seule » vous attend" in words(sign_in)
        shown = await browser.post(f"{door}/join", data={**hidden(asked), "phone": phone})
        assert shown.url.path == f"{door}/offers/{unlisted}"
        assert f'action="{door}/offers/{unlisted}/take"' in shown.text
        assert "Pour vous seule" not in words(await browser.get(f"{door}/offers"))
        asked = await browser.post(f"{door}/offers/{unlisted}/take", data={"k": fresh_key()})
        assert "Pour prendre « Pour vous seule »" in words(asked)
        await browser.post(f"{door}/verify", data=hidden(asked))
        taken = await browser.post(f"{door}/code", data={"code": await code_for(chain, phone)})
    assert taken.url.path == f"{door}/rewards"
    assert "L’offre est dans vos récompenses." in words(taken)
    assert "Pour vous seule" in words(taken)


async def test_pressing_for_an_offer_and_a_wrong_code_take_nothing(
    later: tuple[Chain, date],
) -> None:
    """LS-53, D34: the coupon comes with the right code, never before."""
    chain, day = later
    offered = await offer(chain, "Encore", day, day)
    door = f"/m/{chain.told['chain_slug']}"
    async with visitor(chain) as browser:
        await browser.post(f"{door}/join", data={"k": fresh_key(), "phone": fresh_phone()})
        asked = await browser.post(f"{door}/offers/{offered}/take", data={"k": fresh_key()})
        await browser.post(f"{door}/verify", data=hidden(asked))
        refused = await browser.post(f"{door}/code", data={"code": "000000"})
        assert refused.status_code in {400, 403}
        rewards = words(await browser.get(f"{door}/rewards"))
    assert "Encore" not in rewards


async def test_an_offer_pressed_after_the_session_ended_is_still_there_when_she_is_back(
    later: tuple[Chain, date],
) -> None:
    """LS-53, D34: she confirmed her number in another browser while this one showed the offer."""
    chain, day = later
    offered = await offer(chain, "Toujours là", day, day)
    door = f"/m/{chain.told['chain_slug']}"
    phone = fresh_phone()
    async with visitor(chain) as first, visitor(chain) as second:
        await first.post(f"{door}/join", data={"k": fresh_key(), "phone": phone})
        await first.get(f"{door}/offers/{offered}")
        await second.post(f"{door}/signin", data={"contact": phone})
        await second.post(f"{door}/code", data={"code": await code_for(chain, phone)})
        asked = await first.post(f"{door}/offers/{offered}/take", data={"k": fresh_key()})
    assert "Cet appareil a été déconnecté" in words(asked)
    assert "L’offre « Toujours là » vous attend" in words(asked)
    assert f'href="{door}/signin?next={door}/offers/{offered}"' in asked.text
