"""An offer sent from the panel: the list, the ticks, the preview, the report (LS-59 to LS-61)."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.salon import new_phone_number
from tests.browser.test_offers import is_good
from tests.browser.test_telling import open_menu

pytestmark = [pytest.mark.browser, pytest.mark.stack]


async def test_an_offer_is_sent_to_those_who_stay_ticked(
    panel_of_its_own: Page,
) -> None:
    """LS-59, LS-60, LS-61: everyone is ticked; one tick off; the report renews itself."""
    page = panel_of_its_own
    await open_menu(page, "Créer / modifier Offres")
    for name in ("Alice", "Anne", "Berthe"):
        await page.goto(re.sub(r"/admin.*", "/admin/members/new", page.url))
        await page.get_by_label("Téléphone ou courriel").fill(new_phone_number())
        await page.get_by_label("Prénom").fill(name)
        await page.get_by_role("button").filter(has_text="Inscrire").click()
        await page.wait_for_url(re.compile("done=created"))
    await open_menu(page, "Créer / modifier Offres")
    await page.get_by_role("link", name="Envoyer Deux soins pour un").click()
    ticks = page.locator("input[name=tick]")
    await expect(ticks).to_have_count(3)
    assert await page.locator("input[name=tick]:checked").count() == 3
    await page.get_by_role("checkbox", name="Anne").uncheck()
    await page.get_by_role("button", name="Voir l'aperçu et le coût").click()
    await expect(page.get_by_role("checkbox", name="Anne")).not_to_be_checked()
    await expect(page.get_by_text("2 clients cochés")).to_be_visible()
    await is_good(page)
    await page.get_by_role("button", name="Envoyer offre").click()
    await expect(page.locator("#report")).to_contain_text("2")
    await expect(page.get_by_text("Terminé")).to_be_visible(timeout=30_000)
    await is_good(page)
    await open_menu(page, "Envois aux clients")
    await expect(page.get_by_role("link", name="Deux soins pour un")).to_have_count(1)
    await is_good(page)
