"""The panel as its staff use it: found by the words of the menu, in French and in English."""

from __future__ import annotations

import io
from uuid import uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser, Page, StorageState, expect

from tests.browser.salon import MULTI_POINT_CODE, POINTS_CODE, REWARDS, Salon, new_phone_number

pytestmark = [pytest.mark.browser, pytest.mark.stack]

MENU = {
    "Programmes de fidélité": ["Créer / Modifier programmes"],
    "Offres": ["Créer / modifier Offres"],
    "Messagerie": ["Programmes Texter pour entrer", "Messages planifiés"],
    "Données client": ["Données"],
}
PAGES = [
    "",
    "/programs",
    "/programs/new",
    "/qr",
    "/offers",
    "/offers/new",
    "/text-to-join",
    "/scheduled",
    "/deliveries",
    "/members",
    "/members/new",
    "/design",
    "/settings",
]


async def _by_menu(page: Page, words: str) -> None:
    await page.get_by_role("navigation").get_by_role("link", name=words, exact=True).click()


async def _new_member(salon: Salon, *, given_name: str, family_name: str) -> str:
    """A member made by the till, with her name; answers her phone."""
    phone = new_phone_number()
    made = await salon.till.post(
        "/v2/customers",
        json={
            "idempotency_key": str(uuid4()),
            "given_name": given_name,
            "family_name": family_name,
            "phone_number": f"+1{phone}",
        },
    )
    made.raise_for_status()
    return phone


async def _find(page: Page, words: str) -> None:
    await _by_menu(page, "Données")
    await page.get_by_label("Chercher un client").fill(words)
    await page.get_by_role("button", name="Chercher").click()


@pytest.mark.parametrize("path", ["/admin", *(f"/admin{path}" for path in PAGES)])
async def test_every_panel_page_is_behind_the_sign_in_page(
    browser: Browser, salon: Salon, path: str
) -> None:
    """LS-81: without a session a visitor meets the sign-in page and then what she wanted."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(salon.url + path)
    assert page.url.startswith(f"{salon.url}/signin?next=/admin")
    answer = await context.request.get(salon.url + path, headers={"accept": "application/json"})
    assert answer.status == 401
    await context.close()


async def test_wrong_passwords_and_unknown_people_get_the_same_words(
    browser: Browser, salon: Salon
) -> None:
    """LS-81: nobody learns by the sign-in page who works here."""
    context = await browser.new_context(locale="fr-CA")
    page = await context.new_page()
    words = []
    for email in (salon.owner["email"], f"{uuid4().hex}@nowhere.test"):
        await page.goto(f"{salon.url}/signin")
        await page.get_by_label("Courriel").fill(email)
        await page.get_by_label("Mot de passe").fill("not the password")
        await page.get_by_role("button", name="Se connecter").click()
        words.append(await page.get_by_role("alert").inner_text())
    assert words[0] == words[1]
    assert words[0]
    await context.close()


async def test_the_menu_has_the_words_that_staff_know(panel: Page) -> None:
    """LS-84: every entry with its wording and parent; "Conception et image" is one of them."""
    menu = panel.get_by_role("navigation", name="Menu du panneau")
    for parent, entries in MENU.items():
        group = menu.get_by_role("list", name=parent)
        for entry in entries:
            await expect(group.get_by_role("link", name=entry, exact=True)).to_be_visible()
    for entry in ("Codes QR", "Conception et image"):
        await expect(menu.get_by_role("link", name=entry, exact=True)).to_be_visible()


async def test_codes_are_read_and_changed_section_by_section(panel: Page, salon: Salon) -> None:
    """LS-02, LS-03, LS-04, LS-06, LS-07, D39: the codes of a program, and the QR that stays."""
    await _by_menu(panel, "Créer / Modifier programmes")
    await panel.get_by_role("link", name="Modifier Vos points").click()
    multi = panel.get_by_role("textbox", name="Code de sécurité pour multi-points")
    code = panel.get_by_role("textbox", name="Code pour faire gagner des points")
    await expect(multi).to_have_value(MULTI_POINT_CODE)
    await expect(code).to_have_value(POINTS_CODE)
    image = f"{panel.url.split('?')[0]}/earn/{salon.salon_ids[0]}.png"
    before = await (await panel.request.get(image)).body()

    await code.fill("123456789")
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(code).to_have_attribute("aria-invalid", "true")
    await code.fill("00001234")
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_text("C’est enregistré.")).to_be_visible()
    await expect(code).to_have_value("00001234")
    assert await (await panel.request.get(image)).body() == before
    await expect(panel.get_by_role("region", name="Code QR pour gagner des points")).to_be_visible()

    # Leaving without "Sauvegarder" changes nothing.
    await multi.fill("5555")
    await _by_menu(panel, "Codes QR")
    await panel.go_back()
    await panel.reload()
    await expect(multi).to_have_value(MULTI_POINT_CODE)
    await code.fill(POINTS_CODE)
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(code).to_have_value(POINTS_CODE)


async def test_the_join_code_and_the_addresses_are_where_the_owner_looks(
    panel: Page, salon: Salon
) -> None:
    """LS-09, LS-15, LS-16, D24: mobile URL, tablet URL, and a raster join QR."""
    await _by_menu(panel, "Codes QR")
    picture = panel.get_by_role("img", name="Code d’inscription QR")
    assert str(await picture.get_attribute("src")).endswith(".png")
    assert salon.join_link == f"{salon.app}?s=qr"
    await _by_menu(panel, "Conception et image")
    await expect(panel.get_by_text(salon.app, exact=True).first).to_be_visible()
    await expect(panel.get_by_text(salon.tablet_url, exact=True)).to_be_visible()


async def test_points_are_given_and_taken_by_hand(panel: Page, salon: Salon) -> None:
    """LS-72, LS-73, SQ-74, D3, D17, M14: found by name, +3, -1, and never below zero by slip."""
    name = f"Tremblay{uuid4().hex[:6]}"
    phone = await _new_member(salon, given_name="Élodie", family_name=name)
    await _find(panel, name.lower())
    await panel.get_by_role("link", name=f"Faire gagner des points — Élodie {name}").click()
    await expect(panel.get_by_label("Raison")).to_have_value("1")
    for points, balance in (("3", "3"), ("-1", "2")):
        await panel.get_by_label("Nombre de points").fill(points)
        await panel.get_by_role("button", name="Faire gagner des points").click()
        await expect(panel.get_by_text("le nouveau nombre de points")).to_be_visible()
        await expect(panel.locator(".tile__number").first).to_have_text(balance)
    for points in ("-10", "0", "2.5", "abc"):
        await panel.get_by_label("Nombre de points").fill(points)
        await panel.get_by_role("button", name="Faire gagner des points").click()
        field = panel.get_by_label("Nombre de points")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(panel.locator(".tile__number").first).to_have_text("2")
    feed = panel.get_by_role("region", name="Flux d’activité")
    await expect(feed.get_by_text("Ajustement au salon")).to_have_count(2)
    assert await salon.balance_of(phone) == 2


async def test_a_used_reward_is_set_back_to_earned(panel: Page, salon: Salon) -> None:
    """LS-75, LS-76, RW5, D35: "Remettre à gagné" once, points unchanged; "Annuler" asks first."""
    phone = await _new_member(salon, given_name="Alice", family_name=f"R{uuid4().hex[:6]}")
    await _open_account(salon, phone)
    await salon.give(phone, 10)
    account = await salon.account_of(phone)
    program = (await salon.till.get(f"/v2/loyalty/programs/{salon.program_id}")).json()["program"]
    tier = next(t for t in program["reward_tiers"] if t["points"] == 5)
    rewards = []
    for _ in range(2):
        taken = await salon.till.post(
            "/v2/loyalty/rewards",
            json={
                "idempotency_key": str(uuid4()),
                "reward": {"loyalty_account_id": account["id"], "reward_tier_id": tier["id"]},
            },
        )
        rewards.append(taken.raise_for_status().json()["reward"]["id"])
    used = await salon.till.post(
        f"/v2/loyalty/rewards/{rewards[0]}/redeem",
        json={"idempotency_key": str(uuid4()), "location_id": salon.salon_ids[0]},
    )
    used.raise_for_status()

    await _find(panel, phone[-7:])
    await panel.get_by_role("link", name="Récompenses — Alice").click()
    await expect(panel.get_by_text("échangée", exact=True)).to_have_count(1)
    await expect(panel.get_by_text("gagnée", exact=True)).to_have_count(1)
    await panel.get_by_role("button", name=f"Remettre à gagné — {REWARDS[5]}").click()
    await expect(panel.get_by_text("gagnée", exact=True)).to_have_count(2)
    await expect(panel.get_by_role("button", name="Remettre à gagné")).to_have_count(0)
    assert await salon.balance_of(phone) == 0

    await panel.get_by_role("link", name=f"Annuler — {REWARDS[5]}").first.click()
    await expect(panel.get_by_label("Rendre les 5 points au client")).to_be_checked()
    await panel.get_by_role("button", name="Confirmer l’annulation").click()
    await expect(panel.get_by_text("annulée", exact=True)).to_have_count(1)
    assert await salon.balance_of(phone) == 5


async def _open_account(salon: Salon, phone: str) -> None:
    answer = await salon.till.post(
        "/v2/loyalty/accounts",
        json={
            "idempotency_key": str(uuid4()),
            "loyalty_account": {
                "program_id": salon.program_id,
                "mapping": {"phone_number": f"+1{phone}"},
            },
        },
    )
    # She may have one by the news of her enrolment already.
    assert answer.status_code in {200, 409}


async def test_rewards_offers_and_programs_are_made_and_changed(panel_of_its_own: Page) -> None:
    """LS-49 to LS-55, LS-57, LS-58, LS-74, SQ-46: what an owner sets up, by its words."""
    panel = panel_of_its_own
    await _by_menu(panel, "Créer / Modifier programmes")
    await panel.get_by_role("link", name="Créer un programme").click()
    name = f"Barbier {uuid4().hex[:6]}"
    await panel.get_by_label("Nom du programme").fill(name)
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_role("heading", name=name)).to_be_visible()

    await panel.get_by_role("link", name="Ajouter une récompense").click()
    await panel.get_by_label("Récompense").fill("Barbe offerte")
    await panel.get_by_label("Nombre de points").fill("8")
    await panel.get_by_label("Donne").select_option("percentage")
    await panel.get_by_label("Pourcentage ou montant").fill("12,50")
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_role("cell", name="Barbe offerte", exact=True)).to_be_visible()
    await expect(panel.get_by_role("cell", name="12.5")).to_be_visible()
    await panel.get_by_role("link", name="Supprimer Barbe offerte").click()
    await panel.get_by_role("button", name="Supprimer").click()
    await expect(panel.get_by_role("cell", name="Barbe offerte", exact=True)).to_have_count(0)

    await _by_menu(panel, "Créer / modifier Offres")
    await expect(panel.get_by_text("Aide pas à pas")).to_be_visible()
    await panel.get_by_role("link", name="Créer Offre").click()
    await expect(panel.get_by_label("Type", exact=True)).to_have_value("instant")
    title = f"Rentrée {uuid4().hex[:6]}"
    await panel.get_by_label("Récompense").fill(title)
    await panel.get_by_label("Date de début").fill("2026-12-10")
    await panel.get_by_label("Date de fin").fill("2026-12-01")
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_label("Date de fin")).to_have_attribute("aria-invalid", "true")
    await panel.get_by_label("Date de fin").fill("2026-12-31")
    await panel.get_by_role("button", name="Sauvegarder").click()
    await expect(panel.get_by_role("heading", name=title)).to_be_visible()
    await panel.get_by_role("link", name=f"Modifier {title}").click()
    await expect(panel.get_by_label("Afficher sur l’application mobile")).to_be_checked()
    await panel.get_by_label("Exclusion").fill("Sauf le samedi.")
    await panel.get_by_role("button", name="Sauvegarder").click()
    await panel.get_by_role("link", name=f"Supprimer {title}").click()
    await panel.get_by_role("button", name="Supprimer").click()
    await expect(panel.get_by_role("heading", name=title)).to_have_count(0)


async def test_a_logo_is_drawn_anew_and_a_hostile_one_refused(panel: Page, salon: Salon) -> None:
    """LS-86, reliability 15: PNG of our own out of what came; words for what is no picture."""
    await _by_menu(panel, "Conception et image")
    picture = io.BytesIO()
    Image.new("RGB", (900, 600), "#884466").save(picture, "JPEG")
    for content, name in (
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "logo.svg"),
        (b"<html>", "logo.png"),
        (b"GIF89a" + bytes(64), "logo.png"),
    ):
        await panel.get_by_label("Choisissez un fichier").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": content}
        )
        await panel.get_by_role("button", name="Sauvegarder Logo").click()
        await expect(panel.get_by_text("ce fichier n’en est pas une")).to_be_visible()
    await panel.get_by_label("Choisissez un fichier").set_input_files(
        {"name": "logo.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    )
    await panel.get_by_role("button", name="Sauvegarder Logo").click()
    await expect(panel.get_by_role("img", name="Logo")).to_be_visible()
    served = await panel.request.get(f"{salon.url}/admin/design/logo")
    kept = Image.open(io.BytesIO(await served.body()))
    assert (kept.format, kept.size) == ("PNG", (512, 341))
    await panel.get_by_role("button", name="Supprimer le logo").click()
    await expect(panel.get_by_role("img", name="Logo")).to_have_count(0)


async def test_the_desk_has_no_door_to_a_members_consent(panel: Page, salon: Salon) -> None:
    """LS-77: her page shows what she agreed to, and no control changes it."""
    phone = await _new_member(salon, given_name="Alice", family_name=f"C{uuid4().hex[:6]}")
    await _find(panel, phone[-7:])
    await panel.get_by_role("table").get_by_role("link").first.click()
    await expect(panel.get_by_text("Seul le client change son consentement")).to_be_visible()
    await expect(panel.get_by_role("checkbox")).to_have_count(0)


async def test_a_cashier_gives_points_but_changes_no_program(
    browser: Browser, panel: Page, salon: Salon
) -> None:
    """LS-49: without the right the pages say so with 403, and the codes are not shown."""
    email = f"{uuid4().hex}@salon.test"
    await _by_menu(panel, "Réglages")
    await panel.get_by_text("Ajouter une personne").first.click()
    await panel.get_by_label("Courriel").fill(email)
    await panel.get_by_label("Mot de passe provisoire").fill("une autre longue phrase")
    await panel.get_by_role("button", name="Ajouter une personne").click()
    await expect(panel.get_by_text(f"{email} Caisse")).to_be_visible()

    context = await browser.new_context(locale="fr-CA")
    page = await context.new_page()
    await page.goto(f"{salon.url}/signin")
    await page.get_by_label("Courriel").fill(email)
    await page.get_by_label("Mot de passe").fill("une autre longue phrase")
    await page.get_by_role("button", name="Se connecter").click()
    await expect(page.get_by_role("link", name="Données", exact=True)).to_be_visible()
    for path in ("/admin/offers/new", "/admin/programs/new"):
        answer = await page.goto(salon.url + path)
        assert answer is not None
        assert answer.status == 403
    await page.goto(f"{salon.url}/admin/programs/{salon.program_id}")
    await expect(page.get_by_text("Code de sécurité pour multi-points")).to_have_count(0)
    assert MULTI_POINT_CODE not in await page.content()

    await panel.get_by_role("button", name=f"Retirer l’accès — {email}").click()
    await expect(panel.get_by_text("C’est enregistré.")).to_be_visible()
    await page.goto(f"{salon.url}/admin")
    await expect(page.get_by_role("button", name="Se connecter")).to_be_visible()
    await context.close()


@pytest.mark.parametrize("locale", ["fr-CA", "en-CA"])
async def test_panel_pages_are_accessible(
    browser: Browser, salon: Salon, owner_state: StorageState, locale: str
) -> None:
    """LS-84: every page in both languages, checked by axe; wide and on a phone nothing scrolls."""
    context = await browser.new_context(locale=locale, storage_state=owner_state)
    page = await context.new_page()
    await page.set_viewport_size({"width": 1200, "height": 900})
    for path in [*PAGES, f"/programs/{salon.program_id}"]:
        await page.goto(f"{salon.url}/admin{path}")
        found = (await Axe().run(page)).response["violations"]
        assert not found, (path, [(v["id"], v["nodes"][0]["html"]) for v in found])
        await page.set_viewport_size({"width": 360, "height": 740})
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{path} is {width} pixels wide on a phone"
        await page.set_viewport_size({"width": 1200, "height": 900})
    await context.close()
