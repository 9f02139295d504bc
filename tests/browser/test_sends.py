"""An offer sent from the panel: the list, the ticks, the question, the report (LS-59 to LS-61)."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.phone import open_phone
from tests.browser.salon import Salon, new_phone_number
from tests.browser.test_offers import is_good
from tests.browser.test_telling import open_menu

pytestmark = [pytest.mark.browser, pytest.mark.stack]


async def enrol(page: Page, *names: str) -> None:
    """Clients whom the salon wrote in: they agreed to nothing."""
    for name in names:
        await page.goto(re.sub(r"/admin.*", "/admin/members/new", page.url))
        await page.get_by_label("Téléphone ou courriel").fill(new_phone_number())
        await page.get_by_label("Prénom").fill(name)
        await page.get_by_role("button").filter(has_text="Inscrire").click()
        await page.wait_for_url(re.compile("done=created"))


async def agree(browser: Browser, salon: Salon, name: str) -> str:
    """A client who agreed to texts and proved her phone; its number."""
    async with open_phone(browser, salon) as phone:
        page = await phone.open("/join")
        await page.get_by_label("Numéro de téléphone").fill(phone.number)
        await page.get_by_text("Nom et anniversaire (facultatif)").click()
        await page.get_by_label("Prénom").fill(name)
        await page.get_by_label(re.compile("recevoir des textos")).check()
        await page.get_by_role("button", name="S’inscrire").click()
        await expect(page.get_by_text("Bienvenue! Vous êtes membre.")).to_be_visible()
        await phone.open(f"/signin?next={quote(urlsplit(salon.app).path)}/offers")
        await page.get_by_label("Courriel ou numéro de téléphone").fill(phone.number)
        await phone.prove()
        await expect(page.get_by_role("button", name="Prendre")).to_be_visible()
        return phone.number


async def open_list(page: Page) -> None:
    await open_menu(page, "Créer / modifier Offres")
    await page.get_by_role("link", name="Envoyer Deux soins pour un").click()


async def counted(page: Page, chosen: int, texts: int, emails: int) -> None:
    for name, number in (("chosen", chosen), ("texts", texts), ("emails", emails)):
        await expect(page.locator(f"[data-count={name}]")).to_have_text(str(number))


async def test_an_offer_is_sent_to_those_who_stay_ticked_after_a_question(
    browser: Browser, own_salon: Salon, panel_of_its_own: Page
) -> None:
    """LS-59, LS-60, LS-61: numbers follow the ticks; the question tells cost and who had it."""
    page = panel_of_its_own
    await enrol(page, "Zoé", "anne", "Berthe")
    number = await agree(browser, own_salon, "Élise")
    await open_list(page)
    ticks = page.locator("input[name=tick]")
    await expect(ticks).to_have_count(4)
    assert await page.locator("input[name=tick]:checked").count() == 4
    shown = await page.locator(".ticks li").all_inner_texts()
    assert [one.split("\n")[0].strip() for one in shown] == ["anne", "Berthe", "Élise", "Zoé"]
    await counted(page, 4, 1, 0)
    await page.get_by_role("checkbox", name="Élise").uncheck()
    await counted(page, 3, 0, 0)
    await page.get_by_role("checkbox", name="Élise").check()
    await page.get_by_role("checkbox", name="anne").uncheck()
    await counted(page, 3, 1, 0)
    await page.get_by_role("button", name="Voir l’aperçu et le coût").click()
    await expect(page.get_by_role("checkbox", name="anne")).not_to_be_checked()
    await counted(page, 3, 1, 0)
    await expect(page.locator("#preview")).to_contain_text("1 texto, 0 courriel")
    await is_good(page)

    await page.get_by_role("button", name="Envoyer offre").click()
    await expect(page.get_by_text("3 clients cochés")).to_be_visible()
    await expect(page.get_by_text("1 texto, 0 courriel")).to_be_visible()
    await expect(page.get_by_text("2 des clients cochés ne le recevront pas")).to_be_visible()
    await expect(page.get_by_text("déjà reçu cette offre")).to_have_count(0)
    await is_good(page)
    await open_menu(page, "Envois aux clients")
    await expect(page.get_by_text("Aucun envoi encore.")).to_be_visible()

    await open_list(page)
    await page.get_by_role("checkbox", name="anne").uncheck()
    await page.get_by_role("button", name="Envoyer offre").click()
    await page.get_by_role("button", name="Revenir au message").click()
    await expect(page.get_by_role("checkbox", name="anne")).not_to_be_checked()
    await page.get_by_role("button", name="Envoyer offre").click()
    await page.get_by_role("button", name="Oui, envoyer").click()
    await expect(page.get_by_text("Terminé")).to_be_visible(timeout=30_000)
    await expect(page.locator("#report")).to_contain_text("3")
    await expect(page.locator("#preview")).to_contain_text(own_salon.app)
    await is_good(page)
    await page.get_by_role("link", name="Journal des envois").last.click()
    await page.get_by_label("Montrer").select_option(label="Retenus faute de consentement")
    await page.get_by_role("button", name="Filtrer").click()
    await expect(page.get_by_text("N’a pas accepté les messages")).to_have_count(2)
    await expect(page.get_by_role("cell", name="Élise")).to_have_count(0)
    await is_good(page)
    answer = await own_salon.till.get("/v2/sandbox/messages", params={"to": f"+1{number}"})
    assert [one["kind"] for one in answer.json()["messages"]].count("OFFER") == 1

    await open_list(page)
    await page.get_by_role("button", name="Envoyer offre").click()
    await expect(page.get_by_text("1 de ceux qui le recevront a déjà reçu")).to_be_visible()


async def test_without_a_script_a_few_are_ticked_found_and_asked_about(
    browser: Browser, own_salon: Salon, panel_of_its_own: Page
) -> None:
    """LS-61: untick all, look for one by name and phone, tick her; "Arrêter" asks before."""
    await enrol(panel_of_its_own, "Zoé", "Berthe")
    number = await agree(browser, own_salon, "Élise")
    state = await panel_of_its_own.context.storage_state()
    context = await browser.new_context(
        locale="fr-CA",
        storage_state=state,
        java_script_enabled=False,
        viewport={"width": 360, "height": 740},
    )
    page = await context.new_page()
    await page.goto(f"{own_salon.url}/admin/offers/{own_salon.offer_id}/send")
    await counted(page, 3, 1, 0)
    await page.get_by_label("Montrer seulement ceux").check()
    await page.get_by_role("button", name="Chercher").click()
    await expect(page.locator("input[name=tick]")).to_have_count(1)
    await counted(page, 3, 1, 0)
    await page.get_by_label("Montrer seulement ceux").uncheck()
    await page.get_by_role("button", name="Tout décocher").click()
    await expect(page.locator("input[name=tick]:checked")).to_have_count(0)
    await counted(page, 0, 0, 0)
    await page.get_by_role("button", name="Envoyer offre").click()
    await expect(page.get_by_role("alert")).to_contain_text("Personne n’est coché")
    for words in ("elise", number[-4:]):
        await page.get_by_label("Chercher").fill(words)
        await page.get_by_role("button", name="Chercher").click()
        await expect(page.locator(".ticks li")).to_have_count(1)
        await expect(page.locator(".ticks")).to_contain_text("Élise")
    await page.get_by_role("checkbox", name="Élise").check()
    await page.get_by_label("Chercher").fill("")
    await page.get_by_role("button", name="Chercher").click()
    await expect(page.locator("input[name=tick]:checked")).to_have_count(1)
    await counted(page, 1, 1, 0)
    await page.get_by_label("Envoyer le").fill("2040-01-01T10:00")
    await page.get_by_role("button", name="Envoyer offre").click()
    await expect(page.get_by_text("1er janv. 2040")).to_be_visible()
    await page.get_by_role("button", name="Oui, envoyer").click()
    await expect(page.get_by_text("Planifié", exact=True)).to_be_visible()
    await expect(page.locator("#report dd").first).to_have_text("1")
    await page.get_by_role("link", name="Arrêter").click()
    await expect(page.get_by_text("1 message n’est pas encore parti")).to_be_visible()
    await page.get_by_role("button", name="Arrêter").click()
    await expect(page.locator("#report")).to_contain_text("Arrêté")
    await context.close()
