"""What the panel tells clients: text-to-join, words of messages, status, schedules."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.phone import Phone
from tests.browser.salon import Salon
from tests.browser.test_offers import is_good
from tests.e2e.chains import Chain, open_chain, operator
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]


async def open_menu(page: Page, words: str) -> None:
    await page.get_by_role("navigation").get_by_role("link", name=words, exact=True).click()


async def desk_of(browser: Browser, stack: Stack, plan: str) -> tuple[Page, Chain]:
    """The owner of a new chain on this plan, at her desk."""
    owner = {"email": f"{uuid4().hex}@salon.test", "password": "une longue phrase de passe"}
    chain = await open_chain(stack, f"Salon {plan.title()}", plan=plan, owner=owner)
    context = await browser.new_context(locale="fr-CA", viewport={"width": 1200, "height": 900})
    page = await context.new_page()
    await page.goto(f"{stack.base_url}/signin")
    await page.get_by_label("Courriel").fill(owner["email"])
    await page.get_by_label("Mot de passe").fill(owner["password"])
    await page.get_by_role("button", name="Se connecter").click()
    await page.wait_for_url(re.compile("/admin$"))
    return page, chain


async def test_text_to_join_says_to_contact_us_and_then_shows_its_number(
    browser: Browser, stack: Stack
) -> None:
    """LS-18, LS-19, LS-20: Pro without a number, then the number top left with its keyword."""
    page, chain = await desk_of(browser, stack, "PRO")
    await open_menu(page, "Programmes Texter pour entrer")
    await expect(page.get_by_role("heading", name="Contactez-nous")).to_be_visible()
    await is_good(page)
    async with operator(stack) as host:
        path = f"/v2/operator/chains/{chain.told['chain_id']}/text-to-join"
        number = (await host.put(path, json={})).json()["text_to_join"]["number"]
    await page.reload()
    shown = page.locator(".number--top")
    # As people read it.
    await expect(shown).to_contain_text(f"+1 {number[2:5]}-{number[5:8]}-{number[8:]}")
    await expect(shown).to_contain_text("JOIGNEZ")
    title, top = await page.locator("h1").bounding_box(), await shown.bounding_box()
    assert title is not None
    assert top is not None
    assert (top["x"], top["y"] < title["y"]) == (title["x"], True)
    await is_good(page)
    await page.get_by_label("Mot-clé").fill("deux mots")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_label("Mot-clé")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Mot-clé").fill("ÉCLAT")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(shown).to_contain_text("ÉCLAT")
    await page.context.close()


async def test_settings_and_words_of_messages_are_changed_with_a_preview(
    panel_of_its_own: Page,
) -> None:
    """LS-68, SQ-09, SQ-67, D20: saved, previewed with its cost, refused with the reason."""
    page = panel_of_its_own
    await open_menu(page, "Messages automatiques")
    await is_good(page)
    await page.get_by_label("Message après une vente").select_option("FIRST_ONLY")
    await page.get_by_label("Recueillir les contacts").fill("5")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_text("C’est enregistré.")).to_be_visible()
    await expect(page.get_by_label("Message après une vente")).to_have_value("FIRST_ONLY")
    await expect(page.get_by_label("Recueillir les contacts")).to_have_value("5")

    await page.get_by_role("link", name="Français — Offre, Texto").click()
    await expect(page.get_by_role("heading", name="Aperçu")).to_be_visible()
    await is_good(page)
    await page.get_by_label("Message SMS").fill("Être belle pour Noël? {{ offer }} {{ link }}")
    await page.get_by_role("button", name="Voir l’aperçu et le coût").click()
    await expect(page.get_by_text("Ces signes raccourcissent les textos")).to_contain_text("Ê")
    await expect(page.get_by_text("Le message ne dit pas le nom du salon")).to_be_visible()
    await expect(page.get_by_text("par personne")).to_be_visible()
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_text("C’est enregistré.")).to_be_visible()
    await page.get_by_label("Message SMS").fill("{{ password }}")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_label("Message SMS")).to_have_attribute("aria-invalid", "true")
    await page.get_by_role("button", name="Revenir aux mots de Mèche").click()
    await expect(page.get_by_role("button", name="Revenir aux mots de Mèche")).to_have_count(0)


async def test_the_status_is_sent_from_a_clients_page(
    panel: Page, phone: Phone, salon: Salon
) -> None:
    """SQ-32: "Envoyer le statut" → "Envoyer": a text with the balance; after STOP the reason."""
    await phone.join()
    await salon.give(phone.number, 57)
    member_id = (await salon.account_of(phone.number))["customer_id"]
    await panel.goto(f"{salon.url}/admin/members/{member_id}")
    await panel.get_by_text("Plus d’options").click()
    await panel.get_by_role("link", name="Envoyer le statut").click()
    await is_good(panel)
    await panel.get_by_role("button", name="Envoyer", exact=True).click()
    await expect(
        panel.get_by_text("Le message avec le solde part dans un instant.")
    ).to_be_visible()
    for _ in range(100):
        answer = await salon.till.get("/v2/sandbox/messages", params={"to": f"+1{phone.number}"})
        statuses = [one for one in answer.json()["messages"] if one["kind"] == "STATUS"]
        if statuses:
            break
    assert "57" in statuses[0]["body"]
    stop = {"from": f"+1{phone.number}", "to": "", "body": "ARRET"}
    number = (await salon.till.get("/v2/messages/text-to-join")).json()["sender_number"]
    await salon.till.post("/v2/sandbox/sms", json={**stop, "to": number})
    await panel.goto(f"{salon.url}/admin/members/{member_id}/status")
    await panel.get_by_role("button", name="Envoyer", exact=True).click()
    await expect(panel.get_by_role("alert")).to_be_visible()


async def test_birthday_messages_need_a_plan_and_say_which(browser: Browser, stack: Stack) -> None:
    """LS-64, P3: on Partant the page says what to do, and saving changes nothing."""
    page, _ = await desk_of(browser, stack, "PARTANT")
    await open_menu(page, "Messages planifiés")
    await expect(page.get_by_text("forfaits Essentiel et Pro")).to_be_visible()
    await expect(page.get_by_text("Contactez-nous pour changer de forfait.")).to_be_visible()
    await is_good(page)
    await page.goto(f"{stack.base_url}/admin/scheduled/new")
    await page.get_by_label("Message SMS", exact=True).fill("Bonne fête de Salon Partant!")
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_role("alert")).to_contain_text("ssentiel")
    await open_menu(page, "Programmes Texter pour entrer")
    await expect(page.get_by_text("fait partie du forfait Pro")).to_be_visible()
    await is_good(page)
    await page.context.close()


async def test_a_birthday_message_is_made_changed_and_deleted(panel_of_its_own: Page) -> None:
    """LS-65, LS-66, LS-67, LS-68, LS-69, LS-70: by these words only."""
    page = panel_of_its_own
    await open_menu(page, "Messages planifiés")
    await page.get_by_role("link", name="Créer un message planifié").click()
    await expect(page.get_by_label("Type", exact=True)).to_have_value("birthday")
    days = page.get_by_label("Nombre de jours avant l’anniversaire")
    await expect(days).to_have_value("0")
    await days.fill("7")
    offer = page.get_by_role("option").filter(has_text="Deux soins pour un")
    chosen = await offer.get_attribute("value")
    await page.get_by_label("Offre", exact=True).select_option(chosen)
    await page.get_by_label("Message SMS", exact=True).fill("Bonne fête! Salon Lumière")
    await page.get_by_label("Sujet du courriel", exact=True).fill("Bonne fête!")
    await page.get_by_label("Message du courriel", exact=True).fill("Salon Lumière vous gâte.")
    await page.get_by_text("Autres mots pour ceux qui lisent l’anglais").click()
    await page.get_by_label("Message SMS en anglais").fill("Happy birthday! Salon Lumière")
    await page.get_by_role("button", name="Voir l’aperçu et le coût").click()
    await expect(page.get_by_role("heading", name="Aperçu")).to_be_visible()
    for language, wish in (("Français", "Bonne fête!"), ("English", "Happy birthday!")):
        shown = page.get_by_role("article", name=f"Texto · {language}")
        await expect(shown).to_contain_text(f"{wish} Salon Lumière")
    await is_good(page)
    await page.get_by_role("button", name="Sauvegarder").click()
    card = page.get_by_role("listitem").filter(has_text="7 jours avant")
    await expect(card).to_contain_text("Deux soins pour un")
    await is_good(page)
    await card.get_by_role("link", name="Modifier").click()
    await expect(page.get_by_label("Message SMS en anglais")).to_have_value(
        "Happy birthday! Salon Lumière"
    )
    await page.get_by_label("Envoyer chaque année").uncheck()
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(card).to_contain_text("Arrêté")
    await card.get_by_role("link", name="Supprimer").click()
    await page.get_by_role("button", name="Supprimer").click()
    await expect(card).to_have_count(0)


async def test_five_other_ways_to_join_are_listed_in_order(panel: Page, salon: Salon) -> None:
    """LS-47, LS-43, LS-44: text, site, e-mail, social media, typed address, with their marks."""
    await open_menu(panel, "Codes QR")
    ways = panel.get_by_role("region", name="Le code ne se lit pas?").locator("ol > li")
    told = await ways.all_inner_texts()
    words = ["Texter", "Site web", "Courriel", "Médias sociaux", "Adresse à taper"]
    assert [one.split()[0] for one in told] == [one.split()[0] for one in words]
    links = await panel.locator("ol .copy__link").all_inner_texts()
    assert links == [f"{salon.app}{mark}" for mark in ("?s=web", "?s=mail", "?s=social", "")]
    await is_good(panel)
