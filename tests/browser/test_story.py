"""The main job, once from the poster to the end of the countdown, in French and in English."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.phone import Phone, open_phone
from tests.browser.salon import REWARDS, Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]

TIME = re.compile(r"[45]:\d\d")


async def _second_phone_enters(second: Phone, *, email: str) -> Page:
    """The same member on another phone: a code, and she is in (D34)."""
    page = await second.open()
    await page.get_by_role("link", name="Déjà membre? Entrer").click()
    await page.get_by_label("Courriel ou numéro de téléphone").fill(email)
    await page.get_by_role("button", name="Envoyer le code").click()
    await page.get_by_label("Code", exact=True).fill(await second.salon.code_for(email))
    await page.get_by_role("button", name="Vérifier").click()
    await expect(page.get_by_role("link", name="Gagner des points")).to_be_visible()
    return page


async def test_a_member_joins_earns_takes_and_uses_on_two_phones(
    browser: Browser, salon: Salon, phone: Phone
) -> None:
    """LS-16, LS-24, LS-29, LS-32 to LS-37, LS-39, LS-82, LS-85; D5, D22, D23, D34."""
    page, email = phone.page, f"{uuid4().hex}@exemple.test"
    await page.goto(salon.join_link)
    for box in await page.get_by_role("checkbox").all():
        await expect(box).not_to_be_checked()
    await page.get_by_label("Numéro de téléphone").fill(phone.number)
    await page.get_by_label("Courriel", exact=True).fill(email)
    await page.get_by_role("button", name="S’inscrire").click()
    for square in ("Gagner des points", "Mes récompenses", "Offres", "Ma carte de points"):
        await expect(page.get_by_role("link", name=square)).to_be_visible()
    await expect(page.get_by_role("link", name="Mon compte")).to_be_visible()

    await page.goto(salon.earn_link)
    await expect(page.get_by_text("+1 point sur votre carte!")).to_be_visible()
    await expect(page.locator("[data-number]")).to_have_text("1")
    # Points that come from elsewhere arrive on the open page by themselves.
    await salon.give(phone.number, 9)
    await expect(page.locator("[data-number]")).to_have_text("10")

    await page.goto(f"{salon.app}/card")
    for points, name in REWARDS.items():
        button = page.get_by_role("listitem").filter(has_text=name).get_by_role("button")
        await expect(button).to_have_count(1 if points <= 10 else 0)
    await phone.take(REWARDS[10])
    assert await phone.balance() == "0"
    assert await salon.balance_of(phone.number) == 0

    async with open_phone(browser, salon) as second:
        other = await _second_phone_enters(second, email=email)
        await other.get_by_role("link", name="Mes récompenses").click()
        await expect(other.get_by_role("button", name="Utiliser")).to_be_visible()
        await _use_in_front_of_staff(page, salon)

        await expect(other.get_by_text("en cours d’utilisation")).to_be_visible()
        await other.get_by_role("link", name="Voir").click()
        await expect(other.locator("[data-time]")).to_have_text(TIME)
        await expect(other.locator("[data-clock]")).to_have_count(0)
        await expect(other.get_by_role("button", name="Retour")).to_have_count(0)

        await page.reload()
        await expect(page.locator("[data-time]")).to_have_text(TIME)
        await expect(page.locator("[data-time]")).not_to_have_text("5:00")
        await page.get_by_role("button", name="Retour").click()
        await expect(page.get_by_text("La récompense est utilisée.")).to_be_visible()
        await expect(page.get_by_role("button", name="Utiliser")).to_have_count(0)
        await expect(other).to_have_url(f"{salon.app}/rewards")
        await expect(other.get_by_text("Aucune récompense pour l’instant.")).to_be_visible()


async def _use_in_front_of_staff(page: Page, salon: Salon) -> None:
    await page.goto(f"{salon.app}/rewards")
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("vous aurez 5 minutes")).to_be_visible()
    await expect(page.get_by_text("seulement au salon")).to_be_visible()
    # She scanned at this salon today, so it is chosen already.
    await expect(page.get_by_role("radio", name="Plateau")).to_be_checked()
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("Montrez cet écran à un membre du personnel.")).to_be_visible()
    await expect(page.locator("[data-time]")).to_have_text(TIME)
    await expect(page.locator("[data-clock]")).to_have_text(re.compile(r"\d+:\d\d:\d\d"))


async def test_the_same_story_in_english(salon: Salon, english_phone: Phone) -> None:
    phone, page = english_phone, english_phone.page
    await page.goto(salon.join_link)
    await page.get_by_label("Phone number").fill(phone.number)
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_text("Welcome! You are a member.")).to_be_visible()
    await page.goto(salon.earn_link)
    await expect(page.get_by_text("+1 point on your card!")).to_be_visible()
    await salon.give(phone.number, 4)
    await page.goto(f"{salon.app}/card")
    await expect(page.get_by_role("heading", name="My points card")).to_be_visible()

    await page.get_by_role("button", name="Take").click()
    await page.get_by_role("button", name="Send the code").click()
    await page.get_by_label("Code", exact=True).fill(await salon.code_for(phone.number))
    await page.get_by_role("button", name="Verify").click()
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_role("link", name="My rewards").click()
    await page.get_by_role("button", name="Use").click()
    await expect(page.get_by_text("you will have 5 minutes")).to_be_visible()
    await page.get_by_role("button", name="Use").click()
    await expect(page.get_by_text("Show this screen to a member of staff.")).to_be_visible()
    await expect(page.locator("[data-time]")).to_have_text(TIME)
    await page.get_by_role("button", name="Back").click()
    await expect(page.get_by_text("The reward has been used.")).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "en"
