"""A member's page at the desk: her feed, her sums, her sales and their refunds."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser import till
from tests.browser.axe import is_clean
from tests.browser.salon import REWARDS, Salon
from tests.browser.till import Client
from tests.e2e.sales import category, item, sold, spend, upsert

pytestmark = [pytest.mark.browser, pytest.mark.stack]


def _feed(page: Page) -> Locator:
    return page.get_by_role("region", name="Flux d’activité").get_by_role("listitem")


async def _open(page: Page, salon: Salon, client: Client, path: str = "") -> None:
    await page.goto(f"{salon.url}/admin/members/{client.member_id}{path}")


async def test_the_feed_tells_enrolment_points_and_rewards_newest_first(
    panel: Page, salon: Salon
) -> None:
    """SQ-01, SQ-03, SQ-10: five entries, each with its time, its number and its salon."""
    client = await till.enrol(salon)
    await till.give(salon, client, 12, at=1)
    await till.give(salon, client, 3)
    reward = await till.take(salon, client, 5)
    await till.post(salon, f"/v2/loyalty/rewards/{reward}/redeem", location_id=salon.salon_ids[0])
    await _open(panel, salon, client)

    entries = await _feed(panel).all_inner_texts()

    assert [text.split("\n")[0] for text in entries] == [
        "Récompense échangée",
        "Récompense prise",
        "Points gagnés",
        "Points gagnés",
        "Inscription",
    ]
    assert f"{REWARDS[5]}, Plateau" in entries[0]
    assert "−5 points" in entries[1]
    assert "3 points, Plateau" in entries[2]
    assert "12 points, Vieux-Québec" in entries[3]
    await expect(_feed(panel).locator("time")).to_have_count(5)
    await is_clean(panel)


async def test_a_long_feed_goes_on_page_by_page(panel: Page, salon: Salon) -> None:
    """SQ-01: nothing is left out and nothing comes twice, however much has happened."""
    client = await till.enrol(salon)
    for points in range(1, 34):
        await till.give(salon, client, points)
    await _open(panel, salon, client)

    await expect(_feed(panel)).to_have_count(30)
    newest = await _feed(panel).all_inner_texts()
    await panel.get_by_role("link", name="Plus anciens").click()
    await expect(_feed(panel)).to_have_count(4)
    oldest = await _feed(panel).all_inner_texts()

    told = [re.search(r"(\d+) points?, Plateau", text) for text in newest + oldest]
    assert [int(found[1]) for found in told if found] == list(range(33, 0, -1))
    assert oldest[-1].startswith("Inscription")
    await panel.get_by_role("link", name="Les plus récents").click()
    await expect(_feed(panel)).to_have_count(30)


async def test_points_are_adjusted_with_a_reason_from_more_options(
    panel: Page, salon: Salon
) -> None:
    """SQ-04, SQ-30, SQ-52: no reason, no points; the entry says amount, reason and who."""
    client = await till.enrol(salon)
    await _open(panel, salon, client)
    await panel.get_by_text("Plus d’options").click()
    await panel.get_by_role("link", name="Ajuster les points").click()
    await panel.get_by_label("Nombre de points").fill("10")
    await panel.get_by_role("button", name="Enregistrer").click()
    await expect(panel.get_by_label("Raison")).to_have_attribute("aria-invalid", "true")
    assert await salon.balance_of(client.phone) == 0
    await is_clean(panel)

    await panel.get_by_label("Raison").select_option(label="Geste commercial")
    await panel.get_by_role("button", name="Enregistrer").click()
    await expect(panel.locator(".tile__number").first).to_have_text("10")
    await _open(panel, salon, client, "/adjust")
    await panel.get_by_label("Retirer des points").check()
    await panel.get_by_label("Nombre de points").fill("4")
    await panel.get_by_label("Raison").select_option(label="Erreur")
    await panel.get_by_label("Précision").fill("compté deux fois")
    await panel.get_by_role("button", name="Enregistrer").click()

    who = salon.owner["email"].split("@")[0]
    newest = _feed(panel).first
    await expect(newest).to_contain_text("−4 points")
    await expect(newest).to_contain_text(f"Erreur · compté deux fois · {who}")
    await expect(panel.get_by_text("solde 6 = 6 ajustés")).to_be_visible()
    assert await salon.balance_of(client.phone) == 6


@pytest.fixture
async def shop(own_salon: Salon) -> Salon:
    """A point for each dollar of services; products earn nothing."""
    ids = await upsert(
        own_salon.till,
        category("Produits"),
        item("Coupe", price=6000),
        item("Shampoing", "#Produits", price=4000),
    )
    await till.set_rules(own_salon, spend(excluded_category_ids=[ids["#Produits"]]), tiers=[])
    return own_salon


async def _basket(salon: Salon) -> list[till.Line]:
    answer = await salon.till.get("/v2/catalog/list", params={"types": "ITEM"})
    ids = {
        one["item_data"]["name"]: one["item_data"]["variations"][0]["id"]
        for one in answer.raise_for_status().json()["objects"]
    }
    return [
        sold("coupe", 6000, catalog_object_id=ids["Coupe"]),
        sold("shampoing", 4000, catalog_object_id=ids["Shampoing"]),
    ]


async def test_a_sale_says_what_gave_no_points_and_is_refunded_after_a_look(
    panel_of_its_own: Page, shop: Salon
) -> None:
    """SQ-58, N5: "ne donne pas de points", the effect before the confirmation, and only once."""
    panel, client = panel_of_its_own, await till.enrol(shop)
    await till.sell(shop, client, *await _basket(shop))
    order = await till.sell(shop, client, sold("coupe", 3000), reward_points=5)
    await _open(panel, shop, client)
    await (
        _feed(panel).filter(has_text="60 points").get_by_role("link", name="Voir la vente").click()
    )
    lines = panel.get_by_role("table").get_by_role("row")
    await expect(lines.filter(has_text="Coupe")).to_contain_text("donne des points")
    await expect(lines.filter(has_text="Shampoing")).to_contain_text("ne donne pas de points")
    await is_clean(panel)

    await panel.goto(f"{shop.url}/admin/sales/{order}")
    await panel.get_by_role("button", name="Voir l’effet").click()
    told = panel.get_by_text(re.compile(r"^−\d+ points, récompense rendue, solde \d+$"))
    words = await told.inner_text()
    assert await shop.balance_of(client.phone) == 85
    await expect(panel.get_by_text(f"« {REWARDS[5]} » revient")).to_be_visible()
    await is_clean(panel)
    await panel.get_by_role("button", name="Confirmer le remboursement").click()
    await expect(panel.get_by_text("Le remboursement est fait.")).to_be_visible()

    assert words == f"−30 points, récompense rendue, solde {await shop.balance_of(client.phone)}"
    await expect(panel.get_by_text("Remboursement de tout")).to_be_visible()
    await expect(panel.get_by_role("button", name="Voir l’effet")).to_have_count(0)


async def test_items_and_amounts_are_refunded_and_wrong_numbers_are_told(
    panel_of_its_own: Page, shop: Salon
) -> None:
    """SQ-56: by the rule of the sale, whatever is excluded since; more than was sold is refused."""
    panel, client = panel_of_its_own, await till.enrol(shop)
    order = await till.sell(shop, client, *await _basket(shop))
    await till.set_rules(shop, spend(points=3))
    await panel.goto(f"{shop.url}/admin/sales/{order}")
    await panel.get_by_role("radio", name="Articles").check()
    for typed, error in (("0", "Dites combien"), ("abc", "Entrez un nombre"), ("2", "il ne reste")):
        await panel.get_by_label("Coupe").fill(typed)
        await panel.get_by_role("button", name="Voir l’effet").click()
        await expect(panel.get_by_text(error)).to_be_visible()
        await expect(panel.get_by_role("radio", name="Articles")).to_be_checked()
    await panel.get_by_label("Coupe").fill("1")
    await panel.get_by_role("button", name="Voir l’effet").click()
    await expect(panel.get_by_text("−60 points, solde 0")).to_be_visible()
    await panel.get_by_role("link", name="Ne pas rembourser").click()

    await panel.get_by_role("radio", name="Montant").check()
    await panel.get_by_label("Montant remboursé").fill("50,00")
    await panel.get_by_role("button", name="Voir l’effet").click()
    await expect(panel.get_by_text("−30 points, solde 30")).to_be_visible()
    await panel.get_by_role("button", name="Confirmer le remboursement").click()
    await expect(panel.get_by_text("dont il reste 30")).to_be_visible()


async def test_a_sale_of_another_chain_is_not_found(
    panel: Page, salon: Salon, own_salon: Salon
) -> None:
    client = await till.enrol(own_salon)
    order = await till.sell(own_salon, client, sold("coupe", 3000))
    for sale_id in (order, str(uuid4()), "x"):
        answer = await panel.request.get(f"{salon.url}/admin/sales/{sale_id}")
        assert answer.status == 404


async def test_the_points_that_will_end_are_shown_with_their_days(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """SQ-68: a total and each last day."""
    await till.set_rules(own_salon, expiration_policy={"expiration_duration": "P3M"})
    client = await till.enrol(own_salon)
    await till.give(own_salon, client, 30)
    await till.set_rules(own_salon, expiration_policy={"expiration_duration": "P4M"})
    await till.give(own_salon, client, 20)
    panel = panel_of_its_own
    await _open(panel, own_salon, client)
    await panel.get_by_text("Plus d’options").click()
    await panel.get_by_role("link", name="Voir les points arrivant à expiration").click()

    await expect(panel.get_by_text("points vont expirer, sur un solde de 50")).to_be_visible()
    rows = await panel.get_by_role("row").all_inner_texts()
    assert [row.split("\t")[-1] for row in rows[1:]] == ["30", "20"]
    await is_clean(panel)
