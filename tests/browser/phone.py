"""A member's phone and what people do with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.salon import Salon, new_phone_number

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 6a) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A phone with one open page; `faults` collects what its console complains of."""

    context: BrowserContext
    page: Page
    salon: Salon
    number: str
    faults: list[str] = field(default_factory=list)

    async def open(self, path: str = "") -> Page:
        """A page of the salon's app."""
        await self.page.goto(self.salon.app + path)
        return self.page

    async def join(self, *, email: str = "") -> None:
        """Become a member by the form, as fast as one can."""
        page = await self.open()
        await page.get_by_label("Numéro de téléphone").fill(self.number)
        if email:
            await page.get_by_label("Courriel", exact=True).fill(email)
        await page.get_by_role("button", name="S’inscrire").click()
        await expect(page.get_by_text("Bienvenue! Vous êtes membre.")).to_be_visible()

    async def prove(self) -> None:
        """Pass the code step that the page asks for."""
        await self.page.get_by_role("button", name="Envoyer le code").click()
        await expect(self.page.get_by_label("Code", exact=True)).to_be_focused()
        code = await self.salon.code_for(self.number)
        await self.page.get_by_label("Code", exact=True).fill(code)
        await self.page.get_by_role("button", name="Vérifier").click()

    async def take(self, name: str) -> None:
        """Take a reward from the card, proving the phone if that is asked."""
        page = await self.open("/card")
        await (
            page.get_by_role("listitem")
            .filter(has_text=name)
            .get_by_role("button", name="Prendre")
            .click()
        )
        if await page.get_by_role("button", name="Envoyer le code").count():
            await self.prove()
        await page.get_by_role("button", name="Confirmer").click()
        await expect(page.get_by_text("C’est fait!")).to_be_visible()

    async def balance(self) -> str:
        """The large number of the page that is open."""
        return await self.page.locator("[data-number]").first.inner_text()


@asynccontextmanager
async def open_phone(
    browser: Browser,
    salon: Salon,
    *,
    locale: str = "fr-CA",
    user_agent: str = ANDROID,
    **options: Any,
) -> AsyncIterator[Phone]:
    """A phone of its own: its cookies are nobody else's."""
    context = await browser.new_context(
        viewport={"width": 360, "height": 740},
        locale=locale,
        timezone_id="America/Toronto",
        user_agent=user_agent,
        has_touch=True,
        is_mobile=True,
        **options,
    )
    context.set_default_timeout(20_000)
    page = await context.new_page()
    phone = Phone(context=context, page=page, salon=salon, number=new_phone_number())
    page.on("pageerror", lambda error: phone.faults.append(str(error)))
    page.on("console", lambda said: _note(phone, said.type, said.text))
    yield phone
    await context.close()
    assert not phone.faults


def _note(phone: Phone, kind: str, text: str) -> None:
    # A refused form answers 400 by design; the browser mentions each such answer.
    if kind == "error" and "Failed to load resource" not in text:
        phone.faults.append(text)
