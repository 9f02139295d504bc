"""Tiers, ends of points and history: at the desk and on the member's own phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import till
from tests.browser.axe import is_clean
from tests.browser.phone import Phone, open_phone
from tests.browser.salon import Salon
from tests.browser.till import Client
from tests.e2e.sales import sold, spend

pytestmark = [pytest.mark.browser, pytest.mark.stack]

TIERS = [
    {"name": "Bronze", "threshold": 0, "multiplier": "1"},
    {"name": "Or", "threshold": 100, "multiplier": "1.25"},
    {"name": "Platine", "threshold": 200, "multiplier": "1.5"},
]


async def test_tiers_are_set_up_to_six_with_the_rule_beside_them(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """SQ-05, SQ-47, D14: names, thresholds, multipliers; a level without a name is none."""
    panel = panel_of_its_own
    await panel.goto(f"{own_salon.url}/admin/programs/{own_salon.program_id}/tiers")
    await expect(panel.get_by_text("points de base des douze derniers mois")).to_be_visible()
    await expect(panel.get_by_text("gardé un an")).to_be_visible()
    await expect(panel.get_by_role("main").get_by_role("group")).to_have_count(6)
    for place, (name, threshold, multiplier) in enumerate(
        (("Bronze", "0", ""), ("Or", "100", "1,25"), ("Platine", "200", "beaucoup")), start=1
    ):
        level = panel.get_by_role("group", name=f"Niveau {place}")
        await level.get_by_label(f"Nom du niveau {place}").fill(name)
        await level.get_by_label("Dès (points de base)").fill(threshold)
        await level.get_by_label("Points ×").fill(multiplier)
    await panel.get_by_role("button", name="Enregistrer").click()
    third = panel.get_by_role("group", name="Niveau 3")
    await expect(third.get_by_label("Points ×")).to_have_attribute("aria-invalid", "true")
    await is_clean(panel)
    await third.get_by_label("Points ×").fill("1,5")
    await panel.get_by_role("button", name="Enregistrer").click()
    await expect(panel.get_by_role("region", name="Niveaux")).to_contain_text(
        "Or\u00a0: dès 100 points de base, points × 1,25"
    )
    made = (await till.program(own_salon))["tiers"]
    assert [(tier["name"], tier["threshold"], tier["multiplier"]) for tier in made] == [
        ("Bronze", 0, "1"),
        ("Or", 100, "1.25"),
        ("Platine", 200, "1.5"),
    ]

    await panel.get_by_role("link", name="Modifier Niveaux").click()
    await panel.get_by_label("Nom du niveau 2").fill("")
    await panel.get_by_role("button", name="Enregistrer").click()
    kept = (await till.program(own_salon))["tiers"]
    assert [tier["id"] for tier in kept] == [made[0]["id"], made[2]["id"]]


@pytest.fixture
async def climber(own_salon: Salon) -> Client:
    """A member of the second tier whose points end: 100, then 30 with a bonus of 7."""
    await till.set_rules(
        own_salon, spend(), tiers=TIERS, expiration_policy={"expiration_duration": "P3M"}
    )
    client = await till.enrol(own_salon)
    await till.sell(own_salon, client, sold("coupe", 10_000))
    await till.sell(own_salon, client, sold("soin", 3000))
    return client


async def test_the_desk_shows_tier_bonus_and_the_way_to_the_next(
    panel_of_its_own: Page, own_salon: Salon, climber: Client
) -> None:
    """SQ-05: tier × 1.25, sale worth 30 → the entry shows 30 + 7 bonus; N3: the sum in words."""
    panel = panel_of_its_own
    await panel.goto(f"{own_salon.url}/admin/members/{climber.member_id}")
    card = panel.get_by_role("listitem").filter(has_text="points × 1,25")
    await expect(card).to_contain_text("Or")
    await expect(card).to_contain_text("130/200 · encore 70 points de base pour « Platine »")
    bar = card.get_by_role("progressbar", name="Vos points: progression vers Platine")
    await expect(bar).to_have_attribute("value", "130")
    await expect(card).to_contain_text("solde 137 = 137 gagnés")
    await expect(panel.get_by_text("30 + 7 bonus, Plateau")).to_be_visible()
    await is_clean(panel)


async def _sign_in(phone: Phone, number: str) -> None:
    page = await phone.open("/signin")
    await page.get_by_label("Courriel ou numéro de téléphone").fill(number)
    await page.get_by_role("button", name="Envoyer le code").click()
    code = await phone.salon.code_for(number)
    await page.get_by_label("Code", exact=True).fill(code)
    await page.get_by_role("button", name="Vérifier").click()
    await expect(page.get_by_role("link", name="Mon compte")).to_be_visible()


async def test_her_phone_shows_tier_ends_and_history(
    browser: Browser, own_salon: Salon, climber: Client
) -> None:
    """SQ-01, SQ-03, SQ-05, SQ-68: in her own words, no name of staff."""
    async with open_phone(browser, own_salon) as phone:
        await _sign_in(phone, climber.phone)
        page = await phone.open("/card")
        card = page.get_by_role("region", name="Vos points")
        await expect(card).to_contain_text("Niveau Or · 25 % de points en plus")
        bar = card.get_by_role("progressbar", name="Progression vers le niveau Platine")
        await expect(bar).to_have_attribute("value", "130")
        await expect(card).to_contain_text("Encore 70 pour le niveau « Platine »")
        await expect(card).to_contain_text("Points arrivant à expiration")
        await expect(card).to_contain_text("137 points · jusqu’au")
        await page.get_by_role("link", name="Historique").click()
        entries = page.get_by_role("list", name="Flux d’activité").get_by_role("listitem")
        await expect(entries).to_have_count(3)
        await expect(entries.first).to_contain_text("30 + 7 bonus")
        await expect(entries.first).to_contain_text("Plateau")
        await expect(entries.last).to_contain_text("Votre inscription")
        await expect(page.get_by_text("solde 137 = 137 gagnés")).to_be_visible()
        await is_clean(page)
