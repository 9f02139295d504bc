"""A program that is changed: a message is proposed, the staff are told, nothing leaves (SQ-51)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.salon import Salon, new_phone_number
from tests.browser.test_offers import is_good

pytestmark = [pytest.mark.browser, pytest.mark.stack]


async def _announcements(salon: Salon) -> list[str]:
    answer = await salon.till.get("/v2/sandbox/messages", params={"limit": 200})
    return [
        one["body"]
        for one in answer.raise_for_status().json()["messages"]
        if one["kind"] == "ANNOUNCEMENT"
    ]


async def _known_member(salon: Salon, number: str) -> None:
    """A member of whom messaging has heard too."""
    await salon.till.post(
        "/v2/loyalty/accounts",
        json={
            "idempotency_key": str(uuid4()),
            "loyalty_account": {
                "program_id": salon.program_id,
                "mapping": {"phone_number": f"+1{number}"},
            },
        },
    )

    async def is_known() -> bool:
        answer = await salon.till.post("/v2/messages/audience", json={})
        return bool(answer.raise_for_status().json()["total"])

    await _until(is_known)


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        if await is_so():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the news does not arrive")


async def _expire_after(page: Page, salon: Salon, months: str) -> None:
    await page.goto(f"{salon.url}/admin/programs/{salon.program_id}/expiry")
    await page.get_by_label("Après un nombre de mois").check()
    await page.get_by_label("Nombre de mois", exact=True).fill(months)
    await page.get_by_role("button", name="Confirmer").click()


async def test_after_a_save_the_message_is_ready_and_leaves_when_she_says(
    panel_of_its_own: Page, own_salon: Salon
) -> None:
    """SQ-31, SQ-51: proposed in both languages, with cost and audience; hers to change."""
    page, salon = panel_of_its_own, own_salon
    await _known_member(salon, new_phone_number())
    await _expire_after(page, salon, "6")
    await expect(page.get_by_text("Vos clients ne savent pas encore")).to_be_visible()
    await is_good(page)
    await page.get_by_role("link", name="Voir le message préparé").click()
    french = page.get_by_label("Message SMS", exact=True)
    await expect(french).to_have_value(re.compile("change.*6e mois"))
    await expect(page.get_by_label("Message SMS en anglais")).to_have_value(
        re.compile("has changed.*6 months after")
    )
    preview = page.locator("#preview")
    await expect(preview.get_by_text("Salon Lumière : le programme Vos points")).to_be_visible()
    await expect(preview).to_contain_text(re.compile("textos? par personne"))
    await expect(page.locator("[data-count=chosen]")).to_have_text("1")
    await is_good(page)
    assert await _announcements(salon) == []

    await french.fill("Salon Lumière: vos points durent six mois.")
    await page.get_by_role("button", name="Envoyer", exact=True).click()
    await page.get_by_role("button", name="Oui, envoyer").click()
    await expect(page.get_by_text("Terminé")).to_be_visible(timeout=30_000)
    await page.goto(f"{salon.url}/admin/programs/{salon.program_id}")
    await expect(page.get_by_text("Vos clients ne savent pas encore")).to_have_count(0)


async def test_the_till_tells_the_staff_until_they_have_read_it(
    panel_of_its_own: Page, own_salon: Salon, counter: BrowserContext
) -> None:
    """SQ-51: by `/v2` too; the tablet shows it until "J'ai lu", the owner until she has told."""
    page, salon = panel_of_its_own, own_salon
    await _known_member(salon, new_phone_number())
    rules = {"expiration_policy": {"expiration_duration": "P3M"}}
    saved = await salon.till.put(
        f"/v2/loyalty/programs/{salon.program_id}",
        json={"idempotency_key": str(uuid4()), "program": rules},
    )
    saved.raise_for_status()

    async def is_told() -> bool:
        answer = await salon.till.get("/v2/loyalty/program-notices")
        told: dict[str, Any] = answer.raise_for_status().json()
        # Whoever changed it knows; the members do not.
        assert told["staff"] == []
        return [one["changes"][0]["section"] for one in told["members"]] == ["EXPIRY"]

    await _until(is_told)
    tablet = await counter.new_page()
    await tablet.goto(salon.tablet_url)
    notice = tablet.get_by_text("Avis à l’équipe : « Vos points » a changé")
    await expect(notice).to_be_visible()
    await notice.click()
    await expect(tablet.get_by_text(re.compile("3e mois"))).to_be_visible()
    await is_good(tablet)
    await tablet.get_by_role("button", name="J’ai lu").click()
    await expect(tablet.get_by_label("Courriel ou numéro de téléphone")).to_be_visible()
    await expect(notice).to_have_count(0)

    await page.goto(f"{salon.url}/admin")
    await expect(page.get_by_text("Avis à l’équipe : « Vos points » a changé")).to_be_visible()
    await is_good(page)
    await page.get_by_role("button", name="J’ai lu").click()
    await expect(page.get_by_text("Avis à l’équipe")).to_have_count(0)
    await page.get_by_role("button", name="Ne pas envoyer").click()
    await expect(page.get_by_text("Vos clients ne savent pas encore")).to_have_count(0)
    await page.goto(f"{salon.url}/admin")
    await expect(page.get_by_text("Vos clients ne savent pas encore")).to_have_count(0)
    assert await _announcements(salon) == []
