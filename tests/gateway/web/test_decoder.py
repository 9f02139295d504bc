"""Photos of the salon's QR, read on the server for phones that cannot (LS-24, LS-46)."""

import io

import pytest
import qrcode
from PIL import Image, ImageFilter

from services.gateway.member.decoder import earn_path, read_qr

LINK = "https://salon.example/m/lumiere/g/o_hF_lbpRFzZqKYG4IXKrZ6FZyc8w0IivT-_W3b0B6aUtItK"


def _photo(text: str = LINK, *, form: str = "JPEG", turn: float = 0, blur: float = 0) -> bytes:
    code = qrcode.make(text).convert("RGB").resize((420, 420))
    scene = Image.new("RGB", (900, 1200), (214, 205, 190))
    scene.paste(code, (240, 380))
    scene = scene.rotate(turn, fillcolor=(214, 205, 190)).filter(ImageFilter.GaussianBlur(blur))
    out = io.BytesIO()
    scene.save(out, form)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "turn", "blur"), [("JPEG", 0, 0), ("PNG", 17, 0), ("JPEG", 90, 2)]
)
def test_a_photo_of_a_poster_is_read_turned_and_a_little_blurred(
    form: str, turn: float, blur: float
) -> None:
    assert read_qr(_photo(form=form, turn=turn, blur=blur)) == LINK


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"not a picture",
        _photo()[:600],
        b"GIF89a" + bytes(200),
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_picture_holds_no_code(sent: bytes) -> None:
    assert read_qr(sent) == ""


def test_other_picture_formats_are_not_opened() -> None:
    assert read_qr(_photo(form="BMP")) == ""


def test_a_picture_of_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.member.decoder.PHOTO_PIXELS_MAX", 900 * 1200 - 1)

    assert read_qr(_photo()) == ""


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (LINK, LINK.removeprefix("https://salon.example/m/lumiere")),
        ("http://10.0.0.5:8080/M/Lumiere/g/abc?s=qr", "/g/abc"),
        ("/m/lumiere/g/abc/", "/g/abc"),
        ("https://salon.example/m/lumiere?s=qr", ""),
        ("https://salon.example/m/other/g/abc", ""),
        ("https://salon.example/m/lumiere/g/abc/../../x", ""),
        ("https://salon.example/m/lumiere/g/", ""),
        ("javascript:alert(1)//m/lumiere/g/abc", ""),
        ("WIFI:S:salon;;", ""),
        ("x" * 5000, ""),
    ],
)
def test_only_an_earn_link_of_this_chain_is_followed(text: str, path: str) -> None:
    assert earn_path(text, slug="lumiere") == path
