"""Taking and using: nothing happens by accident, and nothing happens twice."""

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.browser.phone import Phone, open_phone
from tests.browser.salon import REWARDS, Salon
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]


async def _has_taken(phone: Phone) -> None:
    await phone.join()
    await phone.salon.give(phone.number, 5)
    await phone.take(REWARDS[5])


async def test_enough_points_take_nothing_by_themselves(phone: Phone, salon: Salon) -> None:
    """LS-29, LS-30, RW1, SQ-48: "Prendre" on 5 and 10 at twelve points, and nothing is taken."""
    await phone.join()
    await salon.give(phone.number, 12)
    page = await phone.open("/card")

    await expect(page.get_by_role("button", name="Prendre")).to_have_count(2)
    await expect(page.get_by_text("12/20").first).to_be_visible()
    await phone.open("/rewards")
    await expect(page.get_by_text("Aucune récompense pour l’instant.")).to_be_visible()


async def test_annuler_leaves_points_and_rewards_as_they_were(phone: Phone, salon: Salon) -> None:
    """LS-32, LS-39: the confirmation says what leaves and where it is used; then nothing."""
    await phone.join()
    await salon.give(phone.number, 12)
    page = await phone.open("/card")
    await page.get_by_role("button", name="Prendre").nth(1).click()
    await phone.prove()
    await expect(page.get_by_text("−10 points")).to_be_visible()
    await expect(page.get_by_text("s’utilise au salon")).to_be_visible()
    await page.get_by_role("link", name="Annuler").click()

    await expect(page).to_have_url(f"{salon.app}/card")
    assert await salon.balance_of(phone.number) == 12


async def test_confirming_twice_takes_once(phone: Phone, salon: Salon) -> None:
    """LS-33: a double tap, and the same form sent again by another window."""
    await phone.join()
    await salon.give(phone.number, 12)
    page = await phone.open("/card")
    await page.get_by_role("button", name="Prendre").first.click()
    await phone.prove()
    form = page.locator("form[data-once]")
    action, key = (
        await form.get_attribute("action"),
        await form.locator("[name=k]").input_value(),
    )
    await page.get_by_role("button", name="Confirmer").dblclick()
    await expect(page.get_by_text("C’est fait!")).to_be_visible()
    again = await phone.context.request.post(
        f"{salon.url}{action}", form={"k": key}, headers={"sec-fetch-site": "same-origin"}
    )

    assert again.ok
    assert await salon.balance_of(phone.number) == 7
    await phone.open("/rewards")
    await expect(page.get_by_role("button", name="Utiliser")).to_have_count(1)


async def test_the_first_utiliser_only_warns(phone: Phone) -> None:
    """LS-35: leaving the warning leaves the reward usable."""
    await _has_taken(phone)
    page = await phone.open("/rewards")
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("Si vous appuyez de nouveau sur Utiliser")).to_be_visible()
    await page.get_by_role("link", name="Retour").click()

    await expect(page.get_by_role("button", name="Utiliser")).to_have_count(1)


async def test_the_salon_is_asked_for_when_no_scan_tells_it(phone: Phone) -> None:
    """D23, LS-36: points came by an adjustment without a salon, so the page asks."""
    await phone.join()
    account = await phone.salon.account_of(phone.number)
    answer = await phone.salon.till.post(
        f"/v2/loyalty/accounts/{account['id']}/adjust",
        json={
            "idempotency_key": str(uuid4()),
            "adjust_points": {"points": 5, "reason": "Geste commercial"},
        },
    )
    answer.raise_for_status()
    await phone.take(REWARDS[5])
    page = await phone.open("/rewards")
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("Dans quel salon êtes-vous?")).to_be_visible()
    for choice in await page.get_by_role("radio").all():
        await expect(choice).not_to_be_checked()

    await page.get_by_role("radio", name="Vieux-Québec").check()
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("Montrez cet écran")).to_be_visible()
    await expect(page.get_by_text("Vieux-Québec")).to_be_visible()


async def test_the_countdown_goes_on_after_a_reload_and_is_told_politely(phone: Phone) -> None:
    """LS-36, RW3, D5: never a new five minutes; each minute and the last half are announced."""
    await _has_taken(phone)
    page = phone.page
    await page.clock.install()
    await phone.open("/rewards")
    await page.get_by_role("button", name="Utiliser").click()
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.locator("[data-time]")).to_have_text(re.compile("5:00|4:5"))
    voice = page.locator("[data-announce]")
    await expect(voice).to_have_attribute("aria-live", "polite")
    await page.clock.run_for(59_000)
    await page.clock.run_for(2000)
    await expect(voice).to_have_text("Il reste 4 minutes.")
    await page.clock.run_for(3 * 60_000)
    await expect(voice).to_have_text("Il reste une minute.")
    await page.clock.run_for(30_000)
    await expect(voice).to_have_text("Il reste 30 secondes.")

    # This browser's clock ran ahead; the server's number stands after a reload.
    await page.reload()
    await expect(page.locator("[data-time]")).to_have_text(re.compile(r"[45]:\d\d"))


async def test_the_end_of_the_five_minutes_takes_the_reward_away(
    stack: Stack, browser: Browser, phone: Phone
) -> None:
    """LS-37, RW4: at the end it vanishes, here by a chain whose clock is moved."""
    await _has_taken(phone)
    page = await phone.open("/rewards")
    await page.get_by_role("button", name="Utiliser").click()
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.locator("[data-countdown]")).to_be_visible()
    till = phone.salon.till
    now = datetime.fromisoformat((await till.get("/v2/sandbox/clock")).json()["now"])
    moved = await till.post(
        "/v2/sandbox/clock", json={"now": (now + timedelta(minutes=5)).isoformat()}, timeout=60
    )
    moved.raise_for_status()

    await phone.open("/rewards")
    await expect(page.get_by_text("Aucune récompense pour l’instant.")).to_be_visible()


async def test_another_member_s_reward_is_not_there(browser: Browser, phone: Phone) -> None:
    """LS-38: its address means nothing on another phone."""
    await _has_taken(phone)
    page = await phone.open("/rewards")
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page).to_have_url(re.compile(r"/rewards/[0-9a-f-]{36}$"))
    address = page.url

    async with open_phone(browser, phone.salon) as bob:
        await bob.join()
        answer = await bob.page.goto(address)
        assert answer is not None
        assert answer.status == 404


async def test_an_offer_becomes_a_coupon_once(phone: Phone, salon: Salon) -> None:
    """LS-53, LS-55: description and exclusion before the choice; the balance stays."""
    await phone.join()
    await salon.give(phone.number, 3)
    page = await phone.open("/offers")
    await expect(page.get_by_text("Amenez une amie.")).to_be_visible()
    await expect(page.get_by_text("Sauf le samedi.")).to_be_visible()
    await page.get_by_role("button", name="Prendre").click()
    await expect(page.get_by_text("Pour prendre « Deux soins pour un »")).to_be_visible()
    await phone.prove()

    # The press counted: after the code it is hers.
    await expect(page.get_by_text("L’offre est dans vos récompenses.")).to_be_visible()
    await expect(page.get_by_text("31 décembre 2099")).to_be_visible()
    await expect(page.get_by_role("button", name="Utiliser")).to_have_count(1)
    await phone.open("/offers")
    await expect(page.get_by_text("Vous avez déjà pris cette offre.")).to_be_visible()
    assert await salon.balance_of(phone.number) == 3
