"""The ways to join: one link, marked by where the owner puts it, and read by any decoder."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.phone import open_phone
from tests.browser.salon import Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]

# LS-40 to LS-45 and D24: the mark on the link, and what the panel says of the member then.
WAYS = {
    "?s=qr": "Affiche avec code QR",
    "?s=sms": "Message texte",
    "?s=web": "Site web du salon",
    "?s=mail": "Courriel",
    "?s=social": "Médias sociaux",
    "": "Adresse tapée",
    "?s=unheard-of": "Adresse tapée",
}


async def _came_by(panel: Page, salon: Salon, phone: str) -> str:
    await panel.goto(f"{salon.url}/admin/members")
    await panel.get_by_label("Chercher un client").fill(phone)
    await panel.get_by_role("button", name="Chercher").click()
    await panel.get_by_role("table").get_by_role("link").first.click()
    return str(await panel.get_by_text("Inscription :").inner_text())


@pytest.mark.parametrize(("mark", "words"), WAYS.items())
async def test_a_marked_link_says_which_way_a_member_came(
    browser: Browser, salon: Salon, panel: Page, mark: str, words: str
) -> None:
    """LS-42, LS-45, D24: joined through a marked link, her page in the panel names the way."""
    async with open_phone(browser, salon) as phone:
        page = await phone.open(mark)
        await page.get_by_label("Numéro de téléphone").fill(phone.number)
        await page.get_by_role("button", name="S’inscrire").click()
        await expect(page.get_by_text("Bienvenue! Vous êtes membre.")).to_be_visible()
    assert (await _came_by(panel, salon, phone.number)).endswith(words)


async def test_the_printed_codes_are_plain_links_that_a_desktop_opens_too(
    browser: Browser, salon: Salon
) -> None:
    """LS-17: no app's own scheme, short enough for old cameras, and a page on a wide screen."""
    for link in (salon.join_link, *salon.earn_links):
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc) == tuple(urlsplit(salon.url))[:2]
        assert len(link) <= 160
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="fr-CA")
    page = await context.new_page()
    await page.goto(salon.join_link)
    await expect(page.get_by_label("Numéro de téléphone")).to_be_visible()
    await context.close()
