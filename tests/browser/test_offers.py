"""Offers at the panel and on the phone: the editor of LS-49 to LS-58, pictures, a year ahead."""

from __future__ import annotations

import io
from datetime import date

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, FilePayload, Page, StorageState, expect

from tests.browser.phone import Phone
from tests.browser.salon import Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]

YEAR = date.today().year  # noqa: DTZ011


def photo(kind: str = "JPEG", size: tuple[int, int] = (1600, 900)) -> FilePayload:
    out = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(out, format=kind)
    return {"name": "noel.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


async def write(page: Page, title: str) -> None:
    """An offer of the whole year, without its picture."""
    await page.get_by_role("navigation").get_by_role("link", name="Créer / modifier Offres").click()
    await page.get_by_role("link", name="Créer Offre").click()
    await page.get_by_label("Récompense").fill(title)
    await page.get_by_label("Date de début").fill(f"{YEAR}-01-01")
    await page.get_by_label("Date de fin").fill(f"{YEAR}-12-31")
    await page.get_by_label("Type d’expiration").fill(f"{YEAR + 1}-01-15")
    await page.get_by_label("Description").fill("Amenez une amie.")
    await page.get_by_label("Exclusion").fill("Sauf le samedi.")


async def is_good(page: Page) -> None:
    for width in (1200, 360):
        await page.set_viewport_size({"width": width, "height": 900})
        found = (await Axe().run(page)).response["violations"]
        assert not [(one["id"], one["nodes"][0]["target"]) for one in found], page.url
        wide = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide == 0, f"{page.url} is wider than {width}"
    await page.set_viewport_size({"width": 1200, "height": 900})


async def test_the_whole_editor_by_its_words(panel: Page, phone: Phone) -> None:
    """LS-49, LS-50, LS-51, LS-52, LS-54, LS-55, LS-56, LS-57: as written, seen on a phone."""
    await write(panel, "Soin de l’année")
    await expect(panel.get_by_label("Type", exact=True)).to_have_value("instant")
    await expect(panel.get_by_label("Afficher sur l’application mobile")).to_be_checked()
    await panel.get_by_label("Choisissez Fichier").set_input_files(photo())
    await expect(panel.get_by_role("img", name="L’image que vous avez choisie")).to_be_visible()
    await is_good(panel)
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_text("C’est créé.")).to_be_visible()
    await is_good(panel)

    await phone.join()
    page = await phone.open("/offers")
    card = page.get_by_role("article", name="Soin de l’année")
    picture = card.get_by_role("img", name="Image de l’offre « Soin de l’année »")
    await picture.scroll_into_view_if_needed()
    await expect(picture).to_be_visible()
    await page.wait_for_function(
        "[...document.querySelectorAll('.offer__picture')].every((one) => one.naturalWidth > 0)"
    )
    await expect(card).to_contain_text("Amenez une amie.")
    await expect(card).to_contain_text("Sauf le samedi.")
    source = await picture.get_attribute("src")
    served = await page.request.get(phone.salon.url + str(source))
    assert len(await served.body()) <= 100_000
    assert "immutable" in served.headers["cache-control"]
    wide = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide == 0


async def test_a_file_that_is_no_picture_is_told_beside_its_field(panel: Page) -> None:
    """LS-56: nothing is made, and what was typed stays."""
    await write(panel, "Sans image")
    page_file: FilePayload = {
        "name": "logo.png",
        "mimeType": "image/png",
        "buffer": b"<script>alert(1)</script>",
    }
    await panel.get_by_label("Choisissez Fichier").set_input_files(page_file)
    await panel.get_by_role("button", name="Sauvegarder").click()
    field = panel.get_by_label("Choisissez Fichier")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(panel.get_by_label("Récompense")).to_have_value("Sans image")
    await panel.goto(panel.url.rpartition("/")[0])
    await expect(panel.get_by_role("heading", name="Sans image")).to_have_count(0)


async def test_a_year_is_planned_by_duplicating_last_years_offer(panel: Page) -> None:
    """LS-62: "Dupliquer" opens next year's offer in the editor, picture included."""
    await write(panel, "Fête des mères")
    await panel.get_by_label("Choisissez Fichier").set_input_files(photo())
    await panel.get_by_role("button", name="Sauvegarder").click()
    await panel.get_by_role("link", name="Dupliquer Fête des mères").click()
    await is_good(panel)
    await panel.get_by_role("button", name="Dupliquer").click()
    await expect(panel.get_by_label("Date de début")).to_have_value(f"{YEAR + 1}-01-01")
    await expect(panel.get_by_label("Type d’expiration")).to_have_value(f"{YEAR + 2}-01-15")
    now = panel.get_by_role("img", name="L’image de l’offre en ce moment")
    await expect(now).to_be_visible()
    await panel.get_by_label("Retirer l’image et montrer le logo du salon").check()
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_text("C’est enregistré.")).to_be_visible()
    await expect(panel.get_by_role("heading", name="Fête des mères")).to_have_count(2)


async def test_the_editor_works_without_a_script(
    browser: Browser, salon: Salon, owner_state: StorageState
) -> None:
    """LS-49, LS-56."""
    context = await browser.new_context(
        locale="fr-CA", storage_state=owner_state, java_script_enabled=False
    )
    page = await context.new_page()
    await page.goto(f"{salon.url}/admin")
    await page.set_viewport_size({"width": 1200, "height": 900})
    await page.goto(f"{salon.url}/admin/offers/new")
    await page.get_by_label("Récompense").fill("Sans script")
    await page.get_by_label("Date de début").fill(f"{YEAR}-01-01")
    await page.get_by_label("Date de fin").fill(f"{YEAR}-12-31")
    await page.get_by_label("Choisissez Fichier").set_input_files(photo("PNG", (300, 300)))
    await page.get_by_role("button", name="Sauvegarder").click()
    await expect(page.get_by_role("heading", name="Sans script")).to_be_visible()
    await expect(page.get_by_text("C’est créé.")).to_be_visible()
    await context.close()
