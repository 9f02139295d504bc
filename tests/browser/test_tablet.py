"""The counter screen: members without a phone, seen by staff and by whoever waits behind them."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.phone import Phone
from tests.browser.salon import REWARDS, Salon, new_phone_number

pytestmark = [pytest.mark.browser, pytest.mark.stack]

CONTACT = "Courriel ou numéro de téléphone"


async def _open(counter: BrowserContext, salon: Salon) -> Page:
    page = await counter.new_page()
    await page.goto(salon.tablet_url)
    await expect(page).to_have_url(f"{salon.url}/t")
    return page


async def _enter(page: Page, contact: str, *, button: str = "Entrer") -> None:
    await page.get_by_label(CONTACT).fill(contact)
    await page.get_by_role("button", name=button).click()


async def _enrolled(salon: Salon, number: str) -> None:
    answer = await salon.till.post(
        "/v2/loyalty/accounts",
        json={
            "idempotency_key": str(uuid4()),
            "loyalty_account": {
                "program_id": salon.program_id,
                "mapping": {"phone_number": f"+1{number}"},
            },
        },
    )
    answer.raise_for_status()


async def test_entrer_adds_exactly_one_and_shows_what_it_affords(
    counter: BrowserContext, salon: Salon
) -> None:
    """LS-09, LS-11, LS-12, LS-14, M13: 4 becomes 5; looking adds nothing; the address is masked."""
    number = new_phone_number()
    await _enrolled(salon, number)
    await salon.give(number, 4)
    page = await _open(counter, salon)
    await expect(page.get_by_role("textbox")).to_have_count(1)
    await _enter(page, number, button="Voir mes récompenses")
    await expect(page.locator("[data-number]")).to_have_text("4")
    await expect(page.get_by_text("Pas encore")).to_be_visible()
    await page.get_by_role("button", name="Terminer").click()

    await _enter(page, number)
    await expect(page.get_by_text("+1 point ajouté. Votre solde : 5")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text=REWARDS[5])).to_contain_text(
        "disponible"
    )
    await expect(page.get_by_text(f"•••• {number[-4:]}")).to_be_visible()
    assert number not in await page.content()
    assert page.url == f"{salon.url}/t/enter"
    # The same page sent again is the same visit; two visits are two points.
    await page.reload()
    assert await salon.balance_of(number) == 5
    presence = await page.locator("[name=presence]").first.input_value()
    await page.get_by_role("button", name="Terminer").click()
    await expect(page.get_by_label(CONTACT)).to_have_value("")
    # Whoever comes next cannot go back to her page.
    late = await counter.request.post(
        f"{salon.url}/t/rewards",
        form={"presence": presence},
        headers={"sec-fetch-site": "same-origin"},
    )
    assert late.url == f"{salon.url}/t"
    await _enter(page, f"+1 {number[:3]} {number[3:6]}-{number[6:]}")
    await expect(page.get_by_text("Votre solde : 6")).to_be_visible()


async def test_a_client_without_a_phone_takes_and_uses_at_the_counter(
    counter: BrowserContext, salon: Salon
) -> None:
    """LS-13, LS-32, LS-35 to LS-37: "Prendre" → balance 0 → "Utiliser" twice → gone."""
    number = new_phone_number()
    await _enrolled(salon, number)
    await salon.give(number, 10)
    page = await _open(counter, salon)
    await _enter(page, number, button="Voir mes récompenses")
    await page.get_by_role("button", name="Utiliser récompenses").click()
    row = page.get_by_role("listitem").filter(has_text=REWARDS[10])
    await row.get_by_role("button", name="Prendre").click()
    await expect(page.get_by_text("−10 points")).to_be_visible()
    await page.get_by_role("button", name="Confirmer").click()
    await expect(page.get_by_text("C’est fait!")).to_be_visible()
    assert await salon.balance_of(number) == 0

    await page.get_by_role("button", name="Utiliser", exact=True).click()
    await expect(page.get_by_text("vous aurez 5 minutes")).to_be_visible()
    await page.get_by_role("button", name="Utiliser", exact=True).click()
    await expect(page.locator("[data-time]")).to_have_text(re.compile(r"[45]:\d\d"))
    await page.get_by_role("button", name="Retour").click()
    await expect(page.get_by_text("La récompense est utilisée.")).to_be_visible()
    await expect(page.get_by_role("button", name="Utiliser", exact=True)).to_have_count(0)


async def test_somebody_new_joins_at_the_counter_and_has_one_point(
    counter: BrowserContext, salon: Salon
) -> None:
    """LS-10, LS-85, D21: an unknown e-mail leads to the form, and joining counts as the visit."""
    page = await _open(counter, salon)
    email = f"{uuid4().hex}@exemple.test"
    await _enter(page, email)
    await expect(page.get_by_label("Courriel", exact=True)).to_have_value(email)
    for box in await page.get_by_role("checkbox").all():
        await expect(box).not_to_be_checked()
    await page.get_by_label("Prénom (facultatif)").fill("Léa")
    await page.get_by_label("Nom (facultatif)", exact=True).fill("Tremblay")
    await page.get_by_role("button", name="S’inscrire").click()

    await expect(page.get_by_text("+1 point ajouté. Votre solde : 1")).to_be_visible()
    await expect(page.get_by_role("heading", name="Bonjour L… T…")).to_be_visible()
    found = await salon.till.post(
        "/v2/customers/search",
        json={"query": {"filter": {"email_address": {"exact": email}}}},
    )
    assert found.status_code == 200, found.text
    assert "Tremblay" not in await page.content()


async def test_phone_and_counter_show_the_same_at_once(
    counter: BrowserContext, phone: Phone, salon: Salon
) -> None:
    """The point of the counter arrives on the open phone; what the phone uses shows here."""
    await phone.join()
    await salon.give(phone.number, 4)
    await phone.open("/card")
    page = await _open(counter, salon)
    await _enter(page, phone.number)
    await expect(phone.page.locator("[data-number]")).to_have_text("5")

    await page.get_by_role("button", name="Utiliser récompenses").click()
    await phone.take(REWARDS[5])
    await expect(page.get_by_role("button", name="Utiliser", exact=True)).to_be_visible()
    await phone.open("/rewards")
    await phone.page.get_by_role("button", name="Utiliser").click()
    await phone.page.get_by_role("radio", name="Plateau").check()
    await phone.page.get_by_role("button", name="Utiliser").click()
    await expect(page.get_by_text("en cours d’utilisation")).to_be_visible()


async def test_a_minute_without_a_touch_brings_the_start_back(
    counter: BrowserContext, salon: Salon
) -> None:
    """The next person must not find the last one's page; "Continuer" gives another minute."""
    number = new_phone_number()
    await _enrolled(salon, number)
    page = await _open(counter, salon)
    await page.clock.install()
    await _enter(page, number)
    await expect(page.get_by_text("+1 point ajouté.")).to_be_visible()
    await page.clock.run_for(50_000)
    await expect(page.get_by_text(re.compile("Retour à l’accueil dans"))).to_have_count(2)
    await page.get_by_role("button", name="Continuer").click()
    await page.clock.run_for(30_000)
    await expect(page.get_by_text("+1 point ajouté.")).to_be_visible()
    await page.clock.run_for(35_000)

    await expect(page.get_by_label(CONTACT)).to_have_value("")
    assert page.url == f"{salon.url}/t"


async def test_nobody_without_the_tablet_s_link_sees_the_counter(
    counter: BrowserContext, salon: Salon
) -> None:
    """LS-09: no cookie, no members; and the member's page cannot be carried to another tablet."""
    page = await counter.new_page()
    answer = await page.goto(f"{salon.url}/t")
    assert answer is not None
    assert answer.status == 401
    answer = await page.goto(f"{salon.tablet_url}x")
    assert answer is not None
    assert answer.status == 401

    page = await _open(counter, salon)
    forged = await counter.request.post(
        f"{salon.url}/t/account",
        form={"presence": "AAAA" * 20},
        headers={"sec-fetch-site": "same-origin"},
    )
    assert forged.url == f"{salon.url}/t"


async def test_what_is_no_address_is_told_beside_the_field(
    counter: BrowserContext, salon: Salon
) -> None:
    page = await _open(counter, salon)
    for typed in ("", "12", "x@", "'; drop table member", "🙂" * 50):
        await _enter(page, typed)
        await expect(page.get_by_label(CONTACT)).to_have_attribute("aria-invalid", "true")
