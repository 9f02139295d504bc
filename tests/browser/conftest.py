"""Chromium, and a salon of its own for the tests that drive it."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    StorageState,
    async_playwright,
    expect,
)

from tests.browser.phone import Phone, open_phone
from tests.browser.salon import Salon, open_salon
from tests.stack import Stack

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# A busy machine is slow, not wrong: an expectation waits as long as any other step.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """The driver of browsers."""
    async with async_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
async def browser(playwright: Playwright, chromium: str) -> AsyncIterator[Browser]:
    """One Chromium for the whole run; every test opens devices of its own in it."""
    opened = await playwright.chromium.launch(
        executable_path=chromium, args=CHROMIUM_ARGUMENTS, headless=True
    )
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def salon(stack: Stack) -> AsyncIterator[Salon]:
    """A sandbox chain with two salons, three rewards at 5, 10 and 20, an offer and a tablet."""
    async with open_salon(stack) as opened:
        yield opened


async def _signed_in(browser: Browser, salon: Salon) -> StorageState:
    context = await browser.new_context(locale="fr-CA")
    page = await context.new_page()
    await page.goto(f"{salon.url}/signin")
    await page.get_by_label("Courriel").fill(salon.owner["email"])
    await page.get_by_label("Mot de passe").fill(salon.owner["password"])
    await page.get_by_role("button", name="Se connecter").click()
    await page.wait_for_url(f"{salon.url}/admin")
    state = await context.storage_state()
    await context.close()
    return state


@pytest.fixture(scope="session")
async def owner_state(browser: Browser, salon: Salon) -> StorageState:
    """The owner's browser after one sign-in, for every test that works at the panel."""
    return await _signed_in(browser, salon)


@pytest.fixture
async def own_salon(stack: Stack) -> AsyncIterator[Salon]:
    """A chain that no other test looks at, for tests that change its programs or its clock."""
    async with open_salon(stack) as opened:
        yield opened


@pytest.fixture
async def panel_of_its_own(browser: Browser, own_salon: Salon) -> AsyncIterator[Page]:
    """The panel of that chain."""
    context = await browser.new_context(
        viewport={"width": 1200, "height": 900},
        locale="fr-CA",
        storage_state=await _signed_in(browser, own_salon),
    )
    page = await context.new_page()
    await page.goto(f"{own_salon.url}/admin")
    yield page
    await context.close()


@pytest.fixture
async def panel(browser: Browser, salon: Salon, owner_state: StorageState) -> AsyncIterator[Page]:
    """The owner at her desk, signed in, on the first page of the panel."""
    context = await browser.new_context(
        viewport={"width": 1200, "height": 900}, locale="fr-CA", storage_state=owner_state
    )
    page = await context.new_page()
    await page.goto(f"{salon.url}/admin")
    yield page
    await context.close()


@pytest.fixture
async def phone(browser: Browser, salon: Salon) -> AsyncIterator[Phone]:
    """Alice's phone: 360 by 740, French."""
    async with open_phone(browser, salon) as opened:
        yield opened


@pytest.fixture
async def english_phone(browser: Browser, salon: Salon) -> AsyncIterator[Phone]:
    """A phone whose owner reads English."""
    async with open_phone(browser, salon, locale="en-CA") as opened:
        yield opened


@pytest.fixture
async def scriptless_phone(browser: Browser, salon: Salon) -> AsyncIterator[Phone]:
    """A phone that runs no JavaScript."""
    async with open_phone(browser, salon, java_script_enabled=False) as opened:
        yield opened


@pytest.fixture
async def counter(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A tablet that has not been opened yet."""
    context = await browser.new_context(
        viewport={"width": 1024, "height": 768}, locale="fr-CA", has_touch=True
    )
    yield context
    await context.close()
