"""What every page must stand: axe, and a phone without anything to push sideways."""

from __future__ import annotations

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def is_clean(page: Page) -> None:
    """Nothing that axe complains of, and on a phone neither the page nor a table scrolls aside."""
    size = page.viewport_size
    assert size is not None
    found = (await Axe().run(page)).response["violations"]
    assert not found, (page.url, [(v["id"], v["nodes"][0]["html"]) for v in found])
    await page.set_viewport_size({"width": 360, "height": 740})
    wide = await page.evaluate(
        """[...document.querySelectorAll('html, .table-wrap')]
            .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML)"""
    )
    assert not wide, (page.url, wide[0][:200])
    await page.set_viewport_size(size)
