"""No JavaScript: join, consent, balance, rewards, a typed code, a photo (faces.md)."""

import io

import pytest
import qrcode
from playwright.async_api import FilePayload, expect

from tests.browser.phone import Phone
from tests.browser.salon import POINTS_CODE, REWARDS, Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]


async def test_the_whole_story_needs_no_script(scriptless_phone: Phone, salon: Salon) -> None:
    phone, page = scriptless_phone, scriptless_phone.page
    await page.goto(salon.join_link)
    await page.get_by_label("Numéro de téléphone").fill(phone.number)
    await page.get_by_label("J’accepte de recevoir des textos").check()
    await page.get_by_role("button", name="S’inscrire").click()
    await expect(page.get_by_text("Bienvenue! Vous êtes membre.")).to_be_visible()

    await page.get_by_role("link", name="Gagner des points").click()
    await page.get_by_role("link", name="QR ne fonctionne pas? Cliquez ici").click()
    await page.get_by_label("Code pour faire gagner des points").fill(POINTS_CODE)
    await page.get_by_role("button", name="Entrer").click()
    assert await phone.balance() == "1"

    await salon.give(phone.number, 4)
    await phone.take(REWARDS[5])
    await page.get_by_role("link", name="Mes récompenses").click()
    await page.get_by_role("button", name="Utiliser").click()
    await page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("Montrez cet écran à un membre du personnel.")).to_be_visible()
    await page.get_by_role("button", name="Retour").click()
    await expect(page.get_by_text("La récompense est utilisée.")).to_be_visible()


async def test_a_photo_of_the_qr_is_sent_by_a_plain_form(
    scriptless_phone: Phone, salon: Salon
) -> None:
    """LS-46: for a phone whose camera the page cannot open."""
    phone, page = scriptless_phone, scriptless_phone.page
    await phone.join()
    await phone.open("/scan")
    picture = io.BytesIO()
    qrcode.make(salon.earn_link).convert("RGB").save(picture, "JPEG")
    photo: FilePayload = {
        "name": "photo.jpg",
        "mimeType": "image/jpeg",
        "buffer": picture.getvalue(),
    }
    await page.locator("input[type=file]").set_input_files(photo)
    await page.get_by_role("button", name="Envoyer la photo").click()
    await page.get_by_role("button", name="Gagner mon point").click()

    await expect(page.get_by_text("Vos points sont ajoutés à votre carte.")).to_be_visible()
    assert await phone.balance() == "1"


async def test_what_is_missing_is_told_beside_its_field(
    scriptless_phone: Phone, salon: Salon
) -> None:
    """LS-85: e-mail or phone; a box of consent needs its address."""
    page = await scriptless_phone.open()
    await page.get_by_role("button", name="S’inscrire").click()
    phone_field = page.get_by_label("Numéro de téléphone")
    await expect(phone_field).to_have_attribute("aria-invalid", "true")

    await phone_field.fill("12")
    await page.get_by_label("J’accepte de recevoir des courriels").check()
    await page.get_by_role("button", name="S’inscrire").click()
    await expect(page.get_by_label("Courriel", exact=True)).to_have_attribute(
        "aria-invalid", "true"
    )
    await expect(page.get_by_label("J’accepte de recevoir des courriels")).to_be_checked()
    await page.get_by_label("J’accepte de recevoir des courriels").uncheck()
    await page.get_by_role("button", name="S’inscrire").click()
    await expect(phone_field).to_have_attribute("aria-invalid", "true")
    await expect(phone_field).to_have_value("12")
