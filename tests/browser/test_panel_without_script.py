"""The panel without JavaScript: offers, sends, messages, the menu, and a stop (faces.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, StorageState, expect

from tests.browser.conftest import _signed_in
from tests.browser.salon import Salon, new_phone_number
from tests.browser.test_offers import is_good
from tests.browser.test_telling import open_menu

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture
async def plain_panel(browser: Browser, own_salon: Salon) -> AsyncIterator[Page]:
    """The owner's browser runs no script; she signed in before."""
    state: StorageState = await _signed_in(browser, own_salon)
    context = await browser.new_context(
        viewport={"width": 1200, "height": 900},
        locale="fr-CA",
        storage_state=state,
        java_script_enabled=False,
    )
    page = await context.new_page()
    await page.goto(f"{own_salon.url}/admin")
    yield page
    await context.close()


async def _enrol(page: Page, salon: Salon, name: str) -> None:
    await page.goto(f"{salon.url}/admin/members/new")
    await page.get_by_label("Téléphone ou courriel").fill(new_phone_number())
    await page.get_by_label("Prénom").fill(name)
    await page.get_by_role("button").filter(has_text="Inscrire").click()
    await page.wait_for_url(re.compile("done=created"))


async def _write_offer(page: Page) -> None:
    await open_menu(page, "Créer / modifier Offres")
    await page.get_by_role("link", name="Créer Offre").click()
    await page.get_by_label("Récompense").fill("Masque offert")
    await page.get_by_label("Date de début").fill("2020-01-01")
    await page.get_by_label("Date de fin").fill("2099-12-31")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_text("C’est créé.")).to_be_visible()


async def test_an_offer_is_written_sent_and_reported_without_script(
    plain_panel: Page, own_salon: Salon
) -> None:
    """LS-49, LS-59, LS-60, LS-61: filter, ticks, preview with cost, send, report, journal."""
    page, salon = plain_panel, own_salon
    for name in ("Alice", "Anne"):
        await _enrol(page, salon, name)
    await _write_offer(page)
    await page.get_by_role("link", name="Envoyer Masque offert").click()
    await page.get_by_role("checkbox", name="Anne").uncheck()
    await page.get_by_text("Filtres", exact=True).click()
    await page.get_by_label("Texto", exact=True).check()
    await page.get_by_role("button", name="Filtrer").last.click()
    await expect(page.locator("[data-count=chosen]")).to_have_text("1")
    await expect(page.get_by_role("checkbox", name="Anne")).not_to_be_checked()
    await page.get_by_text("Autres mots pour ceux qui lisent l’anglais").click()
    await page.get_by_label("Message SMS en anglais").fill("Salon Lumière: a free mask.")
    await page.get_by_role("button", name="Voir l’aperçu et le coût").click()
    preview = page.locator("#preview")
    await expect(preview.get_by_text("a free mask")).to_be_visible()
    await expect(preview).to_contain_text(re.compile("textos? par personne"))
    await page.get_by_role("button", name="Envoyer offre").click()
    await page.get_by_role("button", name="Oui, envoyer").click()
    await expect(page.locator("#report")).to_be_visible()
    # Nothing renews itself: "Actualiser" does.
    for _ in range(60):
        if await page.get_by_text("Terminé", exact=True).count():
            break
        await page.get_by_role("link", name="Actualiser").click()
    await expect(page.get_by_text("Terminé", exact=True)).to_be_visible()
    await page.get_by_role("main").get_by_role("link", name="Journal des envois").click()
    await expect(page.get_by_text("N’a pas accepté les messages")).to_be_visible()


async def test_a_planned_send_is_stopped_without_script(
    plain_panel: Page, own_salon: Salon
) -> None:
    """LS-60: the question is a page of its own; its state is told."""
    page, salon = plain_panel, own_salon
    await _enrol(page, salon, "Alice")
    await open_menu(page, "Envois aux clients")
    await page.get_by_role("link", name="Écrire à vos clients").click()
    await page.get_by_role("button", name="Envoyer", exact=True).click()
    await expect(page.get_by_label("Message SMS", exact=True)).to_have_attribute(
        "aria-invalid", "true"
    )
    await page.get_by_label("Message SMS", exact=True).fill("Salon Lumière: fermé lundi.")
    await page.get_by_label("Envoyer le", exact=True).fill("2098-01-01T10:00")
    await page.get_by_role("button", name="Envoyer", exact=True).click()
    await page.get_by_role("button", name="Oui, envoyer").click()
    await expect(page.get_by_text("Planifié", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Arrêter").click()
    await page.get_by_role("button", name="Arrêter").click()
    await expect(page.get_by_text("Arrêté", exact=True)).to_be_visible()


async def test_messages_are_chosen_planned_and_worded_without_script(
    plain_panel: Page,
) -> None:
    """LS-65 to LS-70: a birthday message; the settings; words of the salon's own."""
    page = plain_panel
    await open_menu(page, "Messages planifiés")
    await page.get_by_role("link", name=re.compile("Créer un message planifié")).click()
    await page.get_by_label("Message SMS", exact=True).fill("Salon Lumière: bonne fête!")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_text(re.compile("C’est créé|C’est enregistré"))).to_be_visible()
    await open_menu(page, "Messages automatiques")
    await page.get_by_label("Message après une vente").select_option(index=1)
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_text("C’est enregistré.")).to_be_visible()
    words = page.get_by_role("region", name="Les mots des messages")
    await expect(words.get_by_role("row", name=re.compile("^Bienvenue"))).to_have_count(1)
    await words.get_by_role("link", name="Français — Bienvenue, Texto").click()
    await page.get_by_role("textbox").last.fill("{{ chain }}: bienvenue! {{ link }}")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_text("C’est enregistré.")).to_be_visible()
    await open_menu(page, "Messages automatiques")
    await expect(words.get_by_text("Les vôtres")).to_have_count(1)
    await expect(words.get_by_role("row", name=re.compile("^Bienvenue"))).to_contain_text(
        "Les vôtres"
    )
    await open_menu(page, "Programmes Texter pour entrer")
    await expect(page.get_by_role("heading", name="Contactez-nous")).to_be_visible()


async def test_the_menu_is_there_without_script_and_folds_with_it(
    plain_panel: Page, panel: Page
) -> None:
    """On a wide screen and on a phone; with script, a phone shows it when it is asked for."""
    entry = re.compile("^Envois aux clients$")
    for width in (1200, 360):
        await plain_panel.set_viewport_size({"width": width, "height": 800})
        menu = plain_panel.get_by_role("navigation")
        await expect(menu.get_by_role("link", name=entry)).to_be_visible()
    await panel.set_viewport_size({"width": 360, "height": 800})
    await panel.reload()
    menu = panel.get_by_role("navigation")
    await expect(menu.get_by_role("link", name=entry)).to_be_hidden()
    await menu.get_by_text("Menu").click()
    await expect(menu.get_by_role("link", name=entry)).to_be_visible()
    await is_good(panel)
