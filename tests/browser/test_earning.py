"""Points by scan, by the green bar and by typed code, as a member and staff meet them."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.browser.phone import Phone
from tests.browser.salon import MULTI_POINT_CODE, POINTS_CODE, Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]

CODE = "Code pour faire gagner des points"
MULTI = "Code de sécurité pour multi-points"
NUMBER = "Nombre de points"


async def _by_hand(page: Page, *, code: str, points: str, multi: str = "") -> None:
    await page.get_by_label(CODE).fill(code)
    await page.get_by_label(NUMBER).fill(points)
    if multi:
        await page.get_by_label(MULTI).fill(multi)
    await page.get_by_role("button", name="Entrer").click()


async def test_the_way_without_qr_is_visible_from_the_start_and_gives_a_point(
    phone: Phone,
) -> None:
    """LS-24, LS-26, LS-28, LS-46, M6: no camera here, and the typed code works."""
    await phone.join()
    page = await phone.open("/scan")
    bar = await page.get_by_role("link", name="Multi-points").bounding_box()
    link = await page.get_by_role("link", name="QR ne fonctionne pas?").bounding_box()
    assert bar is not None
    assert link is not None
    assert link["y"] + link["height"] <= bar["y"] <= 740 - bar["height"]
    await page.get_by_role("link", name="QR ne fonctionne pas? Cliquez ici").click()
    await _by_hand(page, code=POINTS_CODE, points="1")

    await expect(page.get_by_text("Vos points sont ajoutés à votre carte.")).to_be_visible()
    assert await phone.balance() == "1"


async def test_above_one_point_both_codes_are_needed(phone: Phone, salon: Salon) -> None:
    """LS-27, M7, M8, M9."""
    await phone.join()
    page = await phone.open("/manual")
    await _by_hand(page, code=POINTS_CODE, points="3")
    await expect(page.get_by_label(MULTI)).to_have_attribute("aria-invalid", "true")
    await _by_hand(page, code=POINTS_CODE, points="3", multi="0000")
    await expect(page.get_by_label(MULTI)).to_have_attribute("aria-invalid", "true")
    await _by_hand(page, code="408", points="3", multi=MULTI_POINT_CODE)
    await expect(page.get_by_label(CODE)).to_have_attribute("aria-invalid", "true")
    assert await salon.balance_of(phone.number) == 0

    await _by_hand(page, code=POINTS_CODE, points="3", multi=MULTI_POINT_CODE)
    await expect(page.get_by_text("Vos points sont ajoutés")).to_be_visible()
    assert await salon.balance_of(phone.number) == 3


@pytest.mark.parametrize("points", ["0", "-2", "2.5", "abc"])
async def test_a_number_that_is_none_is_refused_beside_its_field(
    phone: Phone, salon: Salon, points: str
) -> None:
    """M10."""
    await phone.join()
    page = await phone.open("/manual")
    await _by_hand(page, code=POINTS_CODE, points=points)

    field = page.get_by_label(NUMBER)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value(points)
    assert await salon.balance_of(phone.number) == 0


async def test_the_green_bar_gives_several_points_with_the_next_scan(
    phone: Phone, salon: Salon
) -> None:
    """LS-25, M2: number, code, "Entrer", then the normal scan; one event."""
    await phone.join()
    page = await phone.open("/scan")
    await page.get_by_role("link", name="Multi-points").click()
    await page.get_by_label(NUMBER).fill("5")
    await page.get_by_label(MULTI).fill(MULTI_POINT_CODE)
    await page.get_by_role("button", name="Entrer").click()
    await expect(page.get_by_text("5 points sont prêts")).to_be_visible()
    assert await salon.balance_of(phone.number) == 0

    await page.goto(salon.earn_link)
    await expect(page.get_by_text("+5 points sur votre carte!")).to_be_visible()
    await page.goto(salon.earn_link)
    await expect(page.get_by_text("+1 point sur votre carte!")).to_be_visible()
    assert await salon.balance_of(phone.number) == 6


async def test_a_wrong_multi_point_code_keeps_the_scanner_closed(
    phone: Phone, salon: Salon
) -> None:
    """M3: refused, and the scan screen is not reached; the code does not stay on the phone."""
    await phone.join()
    page = await phone.open("/multi")
    code = page.get_by_label(MULTI)
    await expect(code).to_have_attribute("type", "password")
    await expect(code).to_have_attribute("autocomplete", "off")
    await page.get_by_label(NUMBER).fill("5")
    await code.fill("0000")
    await page.get_by_role("button", name="Entrer").click()

    await expect(code).to_have_attribute("aria-invalid", "true")
    await expect(code).to_have_value("")
    assert page.url.endswith("/multi")
    await phone.open("/multi")
    await code.fill("1234")
    await page.get_by_role("link", name="Annuler").click()
    await page.go_back()
    await expect(page.get_by_label(MULTI)).to_have_value("")
    assert await salon.balance_of(phone.number) == 0


async def test_looking_at_the_earn_link_earns_nothing(
    scriptless_phone: Phone, salon: Salon
) -> None:
    """GET changes nothing: without script only the button's form earns, and once."""
    phone, page = scriptless_phone, scriptless_phone.page
    await phone.join()
    for _ in range(3):
        await page.goto(salon.earn_link)
    assert await salon.balance_of(phone.number) == 0

    scan_id = await page.locator("[name=scan_id]").input_value()
    await page.get_by_role("button", name="Gagner mon point").click()
    await expect(page.get_by_text("Vos points sont ajoutés à votre carte.")).to_be_visible()
    again = await phone.context.request.post(
        salon.earn_link, form={"scan_id": scan_id}, headers={"sec-fetch-site": "same-origin"}
    )
    assert again.ok
    assert await salon.balance_of(phone.number) == 1


async def test_a_page_that_is_loaded_again_is_the_same_scan(phone: Phone, salon: Salon) -> None:
    """The scan's id is kept, so that a lost answer cannot count twice."""
    await phone.join()
    page = phone.page
    # The answer of the first post gets lost on its way to the phone.
    lost = 0

    async def lose(route: object) -> None:
        nonlocal lost
        request = route.request  # type: ignore[attr-defined]
        if request.method == "POST" and not lost:
            lost += 1
            await route.fetch()  # type: ignore[attr-defined]
            await route.abort()  # type: ignore[attr-defined]
        else:
            await route.continue_()  # type: ignore[attr-defined]

    await page.route(re.compile(r"/g/"), lose)
    await page.goto(salon.earn_link)
    await expect(page.get_by_text("Pas de réseau")).to_be_visible()
    await page.reload()
    await expect(page.locator("[data-number]")).to_have_text("1")
    await expect(page).to_have_url(f"{salon.app}/card")

    assert lost == 1
    assert await salon.balance_of(phone.number) == 1


async def test_an_altered_earn_link_gives_nothing_and_names_the_other_way(
    phone: Phone, salon: Salon
) -> None:
    await phone.join()
    page = phone.page
    await page.goto(salon.earn_link[:-2] + "xx")

    await expect(page.get_by_role("heading", name="Aucun point ajouté")).to_be_visible()
    await expect(page.get_by_role("link", name="QR ne fonctionne pas? Cliquez ici")).to_be_visible()
    assert await salon.balance_of(phone.number) == 0


async def test_a_visitor_who_scans_joins_right_there_and_earns_at_once(
    phone: Phone, salon: Salon
) -> None:
    """The visit that brought her counts; her source is the earn QR."""
    page = phone.page
    await page.goto(salon.earn_link)
    await expect(page.get_by_text("recevez tout de suite le point")).to_be_visible()
    await page.get_by_label("Numéro de téléphone").fill(phone.number)
    await page.get_by_role("button", name="S’inscrire").click()

    await expect(page.get_by_text("Bienvenue! Vous êtes membre.")).to_be_visible()
    assert await phone.balance() == "1"
    assert await salon.balance_of(phone.number) == 1


async def test_a_known_member_who_scans_on_a_new_phone_proves_it_and_earns(
    phone: Phone, salon: Salon
) -> None:
    """D34: her number alone opens nothing; after the code she is back at the scan."""
    await salon.till.post(
        "/v2/loyalty/accounts",
        json={
            "idempotency_key": str(uuid4()),
            "loyalty_account": {
                "program_id": salon.program_id,
                "mapping": {"phone_number": f"+1{phone.number}"},
            },
        },
    )
    page = phone.page
    await page.goto(salon.earn_link)
    await page.get_by_label("Numéro de téléphone").fill(phone.number)
    await page.get_by_role("button", name="S’inscrire").click()
    await page.get_by_label("Code", exact=True).fill(await salon.code_for(phone.number))
    await page.get_by_role("button", name="Vérifier").click()

    await expect(page.get_by_text("+1 point sur votre carte!")).to_be_visible()
    assert await salon.balance_of(phone.number) == 1


async def test_the_other_language_is_the_same_scan(phone: Phone, salon: Salon) -> None:
    """LS-24: changing the language of the page after a point gives no second one."""
    await phone.join()
    page = phone.page
    await page.goto(salon.earn_link)
    await expect(page.get_by_text("+1 point sur votre carte!")).to_be_visible()
    await page.get_by_role("link", name="English").click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    assert await salon.balance_of(phone.number) == 1
    # Also where the answer to the first one was never seen.
    await page.goto(f"{salon.earn_link}?lang=fr")
    await expect(page.locator("[data-earn-status]")).to_be_visible()
    assert await salon.balance_of(phone.number) == 1
