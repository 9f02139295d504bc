""" "Mon compte", languages, the first visit, and addresses however they are typed."""

import asyncio

import pytest
from playwright.async_api import Browser, expect

from tests.browser.phone import IPHONE, Phone, open_phone
from tests.browser.salon import Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]

EMAILS = "J’accepte de recevoir des courriels"


async def _consents_settle(phone: Phone, *, granted: bool) -> None:
    page = phone.page
    for _ in range(50):
        await phone.open("/account")
        if await page.get_by_role("checkbox").is_checked() is granted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the consent did not change")


async def test_the_email_tick_is_her_own_and_texts_return_by_text_only(phone: Phone) -> None:
    """LS-78, LS-79, D26: one box, for e-mails; a number for texts."""
    await phone.join(email=f"{phone.number}@exemple.test")
    page = await phone.open("/account")
    boxes = page.get_by_role("checkbox")
    await expect(boxes).to_have_count(1)
    await expect(boxes).not_to_be_checked()
    await page.get_by_label(EMAILS).check()
    await page.get_by_role("button", name="Sauvegarder mon choix").click()
    await expect(page.get_by_text("Votre choix est enregistré.")).to_be_visible()
    await _consents_settle(phone, granted=True)

    await page.get_by_label(EMAILS).uncheck()
    await page.get_by_role("button", name="Sauvegarder mon choix").click()
    await _consents_settle(phone, granted=False)
    await expect(page.get_by_text("envoyez OUI (ou YES)")).to_be_visible()
    assert (await page.locator("a[href^='sms:+']").count()) == 1


async def test_name_birthday_and_language_are_kept(phone: Phone) -> None:
    """LS-85: optional name and birthday; the language of her account is that of her pages."""
    await phone.join()
    page = await phone.open("/account")
    await page.get_by_label("Prénom").fill("Zoé")
    await page.get_by_label("Jour", exact=True).select_option("29")
    await page.get_by_label("Mois", exact=True).select_option("février")
    await page.get_by_label("Langue").select_option("English")
    await page.get_by_role("button", name="Sauvegarder", exact=True).click()

    await expect(page.get_by_text("Your details have been saved.")).to_be_visible()
    await expect(page.get_by_label("Month", exact=True)).to_have_value("2")
    await expect(page.get_by_label("Day", exact=True)).to_have_value("29")
    await phone.open()
    await expect(page.get_by_text("Hello Zoé")).to_be_visible()


async def test_each_page_switches_language_and_comes_back(phone: Phone, salon: Salon) -> None:
    page = phone.page
    await page.goto(salon.join_link)
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="Become a member")).to_be_visible()
    assert "s=qr" in page.url
    await page.get_by_role("link", name="Français").click()
    await expect(page.get_by_role("heading", name="Devenez membre")).to_be_visible()


async def test_the_home_screen_hint_is_for_the_first_visit_and_the_phone(
    browser: Browser, salon: Salon, phone: Phone
) -> None:
    """LS-22: drawn for this phone; not on the second visit; a link stays in "mon compte"."""
    page = await phone.open()
    await expect(page.get_by_text("Touchez les trois points")).to_be_visible()
    await phone.open()
    await expect(page.locator("[data-hint]")).to_have_count(0)
    await phone.join()
    await expect(page.locator("[data-hint]")).to_be_visible()
    await phone.open()
    await expect(page.locator("[data-hint]")).to_have_count(0)
    await phone.open("/account")
    await page.get_by_role("link", name="Ajouter à l’écran d’accueil").click()
    await expect(page.locator("[data-hint]")).to_be_visible()

    async with open_phone(browser, salon, user_agent=IPHONE) as iphone:
        await iphone.open()
        await expect(iphone.page.get_by_text("Touchez le bouton Partager")).to_be_visible()


async def test_the_address_works_however_it_is_typed(phone: Phone, salon: Salon) -> None:
    """LS-45: any case and a slash at the end lead to the one address."""
    page, slug = phone.page, salon.slug
    for typed in (f"/m/{slug.upper()}", f"/m/{slug}/", f"/M/{slug.title()}/"):
        await page.goto(f"{salon.url}{typed}?s=web")
        assert page.url == f"{salon.app}?s=web"
    await page.goto(f"{salon.url}/m/{slug.upper()}/signin")
    assert page.url == f"{salon.app}/signin"
    answer = await page.goto(f"{salon.url}/m/{slug}-personne")
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading", name="Cette page n’existe pas")).to_be_visible()


async def test_signing_out_leaves_nothing_on_the_phone(phone: Phone, salon: Salon) -> None:
    await phone.join()
    page = await phone.open("/account")
    await page.get_by_role("button", name="Se déconnecter").click()
    await expect(page.get_by_text("Cet appareil est déconnecté")).to_be_visible()

    await phone.open("/rewards")
    await expect(page.get_by_role("button", name="S’inscrire")).to_be_visible()
    assert await page.evaluate("localStorage.length") == 0


async def test_a_wrong_code_lets_nobody_in(phone: Phone, browser: Browser, salon: Salon) -> None:
    """D34: one kind of answer for a wrong code and for an unknown number."""
    await phone.join()
    async with open_phone(browser, salon) as bob:
        page = await bob.open("/signin")
        await page.get_by_label("Courriel ou numéro de téléphone").fill(phone.number)
        await page.get_by_role("button", name="Envoyer le code").click()
        code = page.get_by_label("Code", exact=True)
        await expect(code).to_have_attribute("autocomplete", "one-time-code")
        right = await salon.code_for(phone.number)
        await code.fill(f"{(int(right) + 1) % 1_000_000:06d}")
        await page.get_by_role("button", name="Vérifier").click()
        await expect(code).to_have_attribute("aria-invalid", "true")
        # Pasted with spaces, as messages show it.
        await code.fill(f" {right[:3]} {right[3:]} ")
        await page.get_by_role("button", name="Vérifier").click()
        await expect(page.get_by_role("link", name="Mon compte")).to_be_visible()


async def test_who_joined_by_phone_adds_an_email_and_proves_it(
    scriptless_phone: Phone, salon: Salon
) -> None:
    """LS-78, D34: her phone first, then a code to the address; without a script."""
    phone, page = scriptless_phone, scriptless_phone.page
    await phone.join()
    await phone.open("/account")
    await page.get_by_role("link", name="Ajouter un courriel").click()
    await page.get_by_role("button", name="Envoyer le code").click()
    await page.get_by_label("Code", exact=True).fill(await salon.code_for(phone.number))
    await page.get_by_role("button", name="Vérifier").click()
    await page.get_by_label("Courriel", exact=True).fill("alice@nulle part")
    await page.locator("form.card").evaluate("(form) => { form.noValidate = true; }")
    await page.get_by_role("button", name="Envoyer le code").click()
    await expect(page.get_by_text("Ce n’est pas une adresse courriel")).to_be_visible()

    address = f"{phone.number}@exemple.test"
    await page.get_by_label("Courriel", exact=True).fill(address)
    await page.get_by_role("button", name="Envoyer le code").click()
    await page.get_by_label("Code", exact=True).fill(await salon.code_for(address))
    await page.get_by_role("button", name="Vérifier").click()

    await expect(page.get_by_text("Votre courriel est ajouté et vérifié.")).to_be_visible()
    await expect(page.get_by_text(address)).to_be_visible()
    await expect(page.get_by_label("J’accepte de recevoir des courriels")).not_to_be_checked()


async def test_an_email_of_somebody_else_is_not_given_away(
    phone: Phone, english_phone: Phone, salon: Salon
) -> None:
    """D34: the same page follows, no message goes there, and her account stays without it."""
    taken = f"{english_phone.number}@exemple.test"
    await phone.join(email=taken)
    page = english_phone.page
    await english_phone.open()
    await page.get_by_label("Phone number").fill(english_phone.number)
    await page.get_by_role("button", name="Join").click()
    await page.goto(f"{salon.app}/account/email")
    await page.get_by_role("button", name="Send the code").click()
    code = await salon.code_for(english_phone.number)
    await page.get_by_label("Code", exact=True).fill(code)
    await page.get_by_role("button", name="Verify").click()
    before = await _messages_to(salon, taken)
    await page.get_by_label("E-mail", exact=True).fill(taken)
    await page.get_by_role("button", name="Send the code").click()
    await page.get_by_label("Code", exact=True).fill("123456")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_label("Code", exact=True)).to_have_attribute("aria-invalid", "true")
    assert await _messages_to(salon, taken) == before
    await page.goto(f"{salon.app}/account")
    await expect(page.get_by_role("link", name="Add an e-mail")).to_be_visible()


async def _messages_to(salon: Salon, address: str) -> int:
    answer = await salon.till.get("/v2/sandbox/messages")
    messages = answer.raise_for_status().json()["messages"]
    return sum("code" in message["body"] and message["to"] == address for message in messages)
