"""The scanner sees a QR through a camera; this one shows a film made in the test."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import qrcode
from PIL import Image
from playwright.async_api import FilePayload, Playwright, expect

from tests.browser.conftest import CHROMIUM_ARGUMENTS
from tests.browser.phone import Phone, open_phone
from tests.browser.salon import Salon

pytestmark = [pytest.mark.browser, pytest.mark.stack]


def _film(text: str, file: Path) -> Path:
    """A few frames of a counter with a QR on it, as the camera file that Chromium takes."""
    code = qrcode.make(text).convert("RGB").resize((360, 360))
    scene = Image.new("RGB", (640, 480), (208, 198, 182))
    scene.paste(code, (140, 60))
    frame = io.BytesIO()
    scene.save(frame, "JPEG", quality=90)
    file.write_bytes(frame.getvalue() * 10)
    return file


@pytest.fixture
async def filming_phone(
    playwright: Playwright, chromium: str, salon: Salon, tmp_path: Path
) -> AsyncIterator[Phone]:
    """A phone whose camera sees the salon's earn QR."""
    film = _film(salon.earn_link, tmp_path / "counter.mjpeg")
    browser = await playwright.chromium.launch(
        executable_path=chromium,
        args=[
            *CHROMIUM_ARGUMENTS,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    async with open_phone(browser, salon, permissions=["camera"]) as phone:
        yield phone
    await browser.close()


async def test_the_camera_reads_the_salon_s_code_and_the_point_comes(
    filming_phone: Phone, salon: Salon
) -> None:
    """LS-24: "Scannez le code, gagnez un point!" """
    phone, page = filming_phone, filming_phone.page
    await phone.join()
    await page.get_by_role("link", name="Gagner des points").click()

    await expect(page.get_by_text("+1 point sur votre carte!")).to_be_visible(timeout=15_000)
    assert await salon.balance_of(phone.number) == 1


async def test_a_photo_is_made_small_and_read(phone: Phone, salon: Salon) -> None:
    await phone.join()
    page = await phone.open("/scan")
    picture = io.BytesIO()
    large = Image.new("RGB", (3000, 4000), (190, 180, 170))
    large.paste(qrcode.make(salon.earn_link).convert("RGB").resize((1400, 1400)), (800, 1200))
    large.save(picture, "JPEG", quality=95)
    photo: FilePayload = {
        "name": "IMG_0001.jpg",
        "mimeType": "image/jpeg",
        "buffer": picture.getvalue(),
    }
    async with page.expect_request("**/decode") as sent:
        await page.locator("input[type=file]").set_input_files(photo)
    await expect(page.get_by_text("+1 point sur votre carte!")).to_be_visible()

    assert len((await sent.value).post_data_buffer or b"") < 400_000


async def test_a_photo_without_our_code_says_so(phone: Phone, salon: Salon) -> None:
    await phone.join()
    page = await phone.open("/scan")
    for text, words in (("https://ailleurs.example/", "n’est pas celui"), ("", "Aucun code QR")):
        picture = io.BytesIO()
        shown = qrcode.make(text).convert("RGB") if text else Image.new("RGB", (300, 300))
        shown.save(picture, "PNG")
        photo: FilePayload = {
            "name": "x.png",
            "mimeType": "image/png",
            "buffer": picture.getvalue(),
        }
        await page.locator("input[type=file]").set_input_files(photo)
        await expect(page.get_by_text(words)).to_be_visible()
    assert await salon.balance_of(phone.number) == 0
