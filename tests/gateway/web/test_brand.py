"""A chain's colour is worn so that every text on it can be read."""

import io
import re

from hypothesis import given
from hypothesis import strategies as st
from loyalty.enrollment.v1.enrollment_pb2 import Chain
from PIL import Image

from services.gateway.member import brand

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"{number:06x}")


def _variables(css: str) -> dict[str, tuple[int, int, int]]:
    found = re.findall(r"--([a-z-]+):#([0-9a-f]{6})", css)
    return {
        name: (int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)) for name, text in found
    }


@given(COLORS)
def test_text_on_the_brand_and_brand_on_paper_can_always_be_read(color: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1, whatever colour an owner picks."""
    worn = _variables(brand.stylesheet(color))

    assert brand.contrast(worn["brand"], worn["on-brand"]) >= 4.5
    for behind in (brand.PAPER, brand.WHITE, worn["brand-soft"]):
        assert brand.contrast(worn["brand-ink"], behind) >= 4.5
    # The home card shades from the brand into the deeper tone.
    assert brand.contrast(worn["brand-deep"], worn["on-brand"]) >= 4.5


@given(st.text())
def test_any_text_as_colour_gives_a_stylesheet_of_colours_only(text: str) -> None:
    css = brand.stylesheet(text)

    assert re.fullmatch(r":root\{(--[a-z-]+:#[0-9a-f]{6};?)+\}\n", css)


def test_the_icon_shows_the_initial_on_the_brand() -> None:
    picture = Image.open(io.BytesIO(brand.initial_icon("Élégance", "b4446c", 192)))

    assert picture.size == (192, 192)
    assert picture.getpixel((2, 2)) == (0xB4, 0x44, 0x6C)
    assert len(picture.getcolors(100_000) or []) > 1


def test_a_logo_is_drawn_whole_within_the_safe_zone() -> None:
    logo = io.BytesIO()
    Image.new("RGBA", (400, 100), (200, 0, 0, 255)).save(logo, "PNG")

    icon = Image.open(io.BytesIO(brand.logo_icon(logo.getvalue(), "b4446c", 512)))

    assert icon.size == (512, 512)
    assert icon.getpixel((256, 256)) == (200, 0, 0)
    assert icon.getpixel((10, 256)) == (255, 255, 255)


def test_the_mark_of_a_look_changes_with_what_the_phone_keeps() -> None:
    plain = Chain(name="Salon", brand_color="#112233")
    with_logo = Chain(name="Salon", brand_color="#112233", logo_digest="abc")

    assert brand.look_of(plain).mark != brand.look_of(with_logo).mark
    assert brand.look_of(Chain(name="x", brand_color="javascript:1")).hex == brand.DEFAULT_COLOR
