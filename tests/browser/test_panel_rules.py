"""A program's rules at the desk, section by section: found by the rows' words."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, StorageState, expect

from tests.browser import till
from tests.browser.axe import is_clean
from tests.browser.salon import Salon
from tests.e2e.sales import category, item, sold, spend, upsert

pytestmark = [pytest.mark.browser, pytest.mark.stack]

PAGES = (
    "earning",
    "eligible",
    "expiry",
    "tiers",
    "refunds",
    "promotions",
    "promotions/new",
)


async def _open(page: Page, salon: Salon, section: str = "") -> None:
    await page.goto(f"{salon.url}/admin/programs/{salon.program_id}{section}")


def _section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


async def _save(page: Page, button: str = "Enregistrer") -> None:
    await page.get_by_role("button", name=button, exact=True).click()
    await expect(page.get_by_text("C’est enregistré.")).to_be_visible()


async def _others(salon: Salon, changed: str) -> dict[str, Any]:
    """Every section of the program but one."""
    program = await till.program(salon)
    for name in (changed, "version", "updated_at"):
        program.pop(name, None)
    return program


async def test_rules_are_added_changed_and_removed_without_touching_points(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """SQ-46, SQ-47: two rules, one more version, balances and other sections as before."""
    panel, salon = panel_of_its_own, own_salon
    await upsert(salon.till, category("Soins"), item("Masque", "#Soins", price=3000))
    client = await till.enrol(salon)
    await till.give(salon, client, 12)
    before, version = await _others(salon, "accrual_rules"), (await till.program(salon))["version"]
    await _open(panel, salon)
    await expect(_section(panel, "Gain de points")).to_contain_text("1 point par visite")
    await panel.get_by_role("link", name="Modifier Gain de points").click()

    first = panel.get_by_role("group", name="Règle 1")
    await first.get_by_label("Ce qui donne des points").select_option("spend")
    await first.get_by_label("Pour chaque tranche de ($)").fill("rien")
    await panel.get_by_role("button", name="Enregistrer").click()
    await expect(first.get_by_label("Pour chaque tranche")).to_have_attribute(
        "aria-invalid", "true"
    )
    await first.get_by_label("Pour chaque tranche de ($)").fill("2,50")
    await first.get_by_label("Montant compté").select_option(label="après taxes")
    await panel.get_by_role("button", name="Ajouter une règle").click()
    second = panel.get_by_role("group", name="Règle 2")
    await second.get_by_label("Ce qui donne des points").select_option("category")
    await second.get_by_label("Points", exact=True).fill("40")
    await expect(second.get_by_label("Pour chaque tranche de ($)")).to_be_hidden()
    await second.get_by_label("Catégorie").select_option(label="Soins")
    await is_clean(panel)
    await _save(panel)

    told = _section(panel, "Gain de points")
    await expect(told).to_contain_text("1 point par tranche de 2,50")
    await expect(told).to_contain_text("40 points par article de « Soins »")
    program = await till.program(salon)
    assert program["version"] == version + 1
    assert [rule["accrual_type"] for rule in program["accrual_rules"]] == ["SPEND", "CATEGORY"]
    spend_data = program["accrual_rules"][0]["spend_data"]
    assert (spend_data["amount_money"]["amount"], spend_data["tax_mode"]) == (250, "AFTER_TAX")
    assert await _others(salon, "accrual_rules") == before
    assert await salon.balance_of(client.phone) == 12

    await panel.get_by_role("link", name="Modifier Gain de points").click()
    await panel.get_by_role("button", name="Retirer cette règle 1").click()
    await _save(panel)
    assert len((await till.program(salon))["accrual_rules"]) == 1


async def test_a_save_over_somebody_elses_change_is_refused(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """SQ-47: what was changed meanwhile is shown instead of being lost."""
    panel = panel_of_its_own
    await _open(panel, own_salon, "/earning")
    await till.set_rules(own_salon, spend(points=7))
    await panel.get_by_role("button", name="Enregistrer").click()
    await expect(panel.get_by_text("Le programme a changé entre-temps")).to_be_visible()
    await expect(panel.get_by_label("Points", exact=True)).to_have_value("7")


@pytest.fixture
async def shop(own_salon: Salon) -> Salon:
    """A point for each dollar; two categories, and items of none."""
    await upsert(
        own_salon.till,
        category("Soins"),
        category("Produits"),
        item("Coupe", "#Soins", price=6000),
        item("Shampoing", "#Produits", price=4000),
        item("Après-shampoing", "#Produits", price=3000),
        item("Carte-cadeau", price=5000),
    )
    await till.set_rules(own_salon, spend())
    return own_salon


async def test_what_does_not_earn_is_searched_unticked_and_kept(
    panel_of_its_own: Page, shop: Salon
) -> None:
    """SQ-53, SQ-54, SQ-56: uncategorised items at the bottom; "Terminé"; older sales stay."""
    panel, client = panel_of_its_own, await till.enrol(shop)
    before = await _others(shop, "accrual_rules")
    order = await till.sell(shop, client, sold("vieux", 4000))
    await _open(panel, shop)
    await panel.get_by_role("link", name="Modifier Articles et catégories admissibles").click()
    groups = await panel.locator("legend").all_inner_texts()
    assert groups == ["Produits", "Soins", "Sans catégorie"]
    last = panel.get_by_role("group", name="Sans catégorie")
    await expect(last.get_by_role("checkbox")).to_have_count(1)
    await is_clean(panel)

    await last.get_by_label("Carte-cadeau").uncheck()
    await panel.get_by_label("Chercher un article ou une catégorie").fill("APRES")
    await panel.get_by_role("button", name="Chercher").click()
    await expect(panel.get_by_role("checkbox", name="Coupe")).to_have_count(0)
    await panel.get_by_label("Après-shampoing").uncheck()
    await _save(panel, "Terminé")

    await expect(_section(panel, "Articles et catégories admissibles")).to_contain_text(
        "Tout donne des points, sauf 2 articles."
    )
    assert await _others(shop, "accrual_rules") == before
    await panel.get_by_role("link", name="Modifier Articles et catégories admissibles").click()
    for name, earns in (("Coupe", True), ("Après-shampoing", False), ("Carte-cadeau", False)):
        await expect(panel.get_by_label(name, exact=True)).to_be_checked(checked=earns)
    await panel.get_by_label("Produits", exact=True).uncheck()
    await _save(panel, "Terminé")
    await panel.get_by_role("link", name="Modifier Articles et catégories admissibles").click()
    await expect(panel.get_by_text("exclu avec sa catégorie")).to_have_count(2)
    assert await shop.balance_of(client.phone) == 40
    await panel.goto(f"{shop.url}/admin/sales/{order}")
    await panel.get_by_role("button", name="Voir l’effet").click()
    await expect(panel.get_by_text("−40 points, solde 0")).to_be_visible()


async def test_only_where_spending_earns_something_can_be_excluded(
    panel: Page, salon: Salon
) -> None:
    """SQ-57: a program by visits has no such section, and its address is refused."""
    await _open(panel, salon)
    await expect(_section(panel, "Gain de points")).to_be_visible()
    await expect(_section(panel, "Articles et catégories admissibles")).to_have_count(0)
    answer = await panel.goto(f"{salon.url}/admin/programs/{salon.program_id}/eligible")
    assert answer is not None
    assert answer.status == 400


async def test_expiry_is_changed_for_points_to_come(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """SQ-64, SQ-65, SQ-47: never or months, "Confirmer", and the page says what it touches."""
    panel = panel_of_its_own
    before = await _others(own_salon, "expiration_policy")
    await _open(panel, own_salon)
    await expect(_section(panel, "Expiration")).to_contain_text("n’expirent jamais")
    await panel.get_by_role("link", name="Modifier Expiration").click()
    await expect(panel.get_by_text("seulement les points gagnés plus tard")).to_be_visible()
    await panel.get_by_label("Après un nombre de mois").check()
    months = panel.get_by_role("textbox", name="Nombre de mois")
    for typed in ("0", "x", "999"):
        await months.fill(typed)
        await panel.get_by_role("button", name="Confirmer").click()
        await expect(months).to_have_attribute("aria-invalid", "true")
    await is_clean(panel)
    await months.fill("3")
    await _save(panel, "Confirmer")
    await expect(_section(panel, "Expiration")).to_contain_text("3e mois suivant")
    program = await till.program(own_salon)
    assert program["expiration_policy"] == {"expiration_duration": "P3M"}
    assert await _others(own_salon, "expiration_policy") == before
    await panel.get_by_role("link", name="Modifier Expiration").click()
    await panel.get_by_label("Jamais").check()
    await _save(panel, "Confirmer")
    assert "expiration_policy" not in await till.program(own_salon)


async def test_refunds_are_three_choices_in_plain_words(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """D1, D3, R36, SQ-47: the defaults first, and each choice is kept."""
    panel = panel_of_its_own
    before = await _others(own_salon, "refund_settings")
    await _open(panel, own_salon, "/refunds")
    for words in ("peut devenir négatif", "est rendue au client", "ce qui reste payé"):
        await expect(panel.get_by_label(words)).to_be_checked()
    for words in ("s’arrête à zéro", "reste utilisée", "le montant remboursé"):
        await panel.get_by_label(words).check()
    await _save(panel)
    assert (await till.program(own_salon))["refund_settings"] == {
        "visit_refund_basis": "REFUNDED",
        "debt_rule": "CLAMP_ZERO",
        "reward_on_refund": "KEEP",
    }
    assert await _others(own_salon, "refund_settings") == before


async def test_a_promotion_is_made_listed_and_canceled(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """Days, hours and limits in words; "Annuler" asks first and keeps what was given."""
    panel = panel_of_its_own
    await _open(panel, own_salon)
    await panel.get_by_role("link", name="Voir Promotions").click()
    await panel.get_by_role("link", name="Créer une promotion").click()
    await panel.get_by_label("Nom de la promotion").fill("Mardis doubles")
    await panel.get_by_label("Combien").fill("1")
    await panel.get_by_label("Premier jour").fill("2030-01-08")
    await panel.get_by_label("Dernier jour (vide = sans fin)").fill("2030-01-01")
    await panel.get_by_label("mardi").check()
    await panel.get_by_label("De (heure, facultatif)").fill("09:00")
    await panel.get_by_role("button", name="Créer la promotion").click()
    for label in ("Dernier jour (vide = sans fin)", "De (heure, facultatif)"):
        await expect(panel.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    await is_clean(panel)
    await panel.get_by_label("Dernier jour (vide = sans fin)").fill("2030-03-31")
    await panel.get_by_label("À (heure, facultatif)").fill("17:00")
    await panel.get_by_role("button", name="Créer la promotion").click()
    await expect(panel.get_by_label("Combien")).to_have_attribute("aria-invalid", "true")
    await panel.get_by_label("Combien").fill("1,5")
    await panel.get_by_label("Au plus, par client (fois)").fill("2")
    await panel.get_by_role("button", name="Créer la promotion").click()

    entry = panel.get_by_role("listitem").filter(has_text="Mardis doubles")
    await expect(entry).to_contain_text("prévue")
    await expect(entry).to_contain_text("points × 1,5")
    await expect(entry).to_contain_text("du 8 janvier 2030 au 26 mars 2030 · mardi")
    await expect(entry).to_contain_text("de 09:00 à 17:00")
    await is_clean(panel)
    await panel.get_by_role("link", name="Annuler — Mardis doubles").click()
    await expect(panel.get_by_text("Les points déjà donnés restent.")).to_be_visible()
    await panel.get_by_role("button", name="Annuler la promotion").click()
    await expect(entry).to_contain_text("arrêtée")
    await expect(panel.get_by_role("link", name="Annuler — Mardis doubles")).to_have_count(0)


@pytest.mark.parametrize("locale", ["fr-CA", "en-CA"])
async def test_the_pages_of_the_rules_are_accessible_in_both_languages(
    browser: Browser, salon: Salon, owner_state: StorageState, locale: str
) -> None:
    """SQ-47: axe, wide and on a phone."""
    context = await browser.new_context(locale=locale, storage_state=owner_state)
    page = await context.new_page()
    for section in PAGES:
        if section != "eligible":
            await _open(page, salon, f"/{section}")
            await is_clean(page)
    await context.close()
