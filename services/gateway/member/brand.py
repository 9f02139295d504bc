"""A chain's look on its pages: colours that can be read, icons, manifest."""

from __future__ import annotations

import functools
import hashlib
import io
import re
from dataclasses import dataclass

from loyalty.enrollment.v1.enrollment_pb2 import Chain
from PIL import Image, ImageDraw, ImageFont

DEFAULT_COLOR = "#5b2a5e"
# WCAG 2.2, 1.4.3: contrast of text. Our paper is the background of coloured words.
CONTRAST_MIN = 4.5
PAPER = (250, 246, 240)
INK = (42, 34, 48)
WHITE = (255, 255, 255)
ICON_SIZES = (180, 192, 512)
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
# A logo's pixels before it is drawn into an icon; the panel stores far smaller ones.
_LOGO_PIXELS_MAX = 4_000_000

Rgb = tuple[int, int, int]


def _rgb(color: str) -> Rgb:
    match = _HEX.fullmatch(color)
    text = match.group(1) if match else DEFAULT_COLOR[1:]
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)


def _luminance(rgb: Rgb) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [value / 255 for value in rgb]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _readable(color: Rgb, *, behind: Rgb) -> Rgb:
    """The colour itself, or as much of it mixed with ink as can be read on what is behind."""
    for percent in range(100, -1, -5):
        mixed = _mixed(color, INK, percent / 100)
        if contrast(mixed, behind) >= CONTRAST_MIN:
            return mixed
    return INK


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the chain's pages wear."""

    # Six hexadecimal digits, without "#": they stand in the stylesheet's address.
    color: str
    # Changes with name, colour and logo, for addresses that phones may keep.
    mark: str

    @property
    def hex(self) -> str:
        """The colour as browsers write it."""
        return f"#{self.color}"


def look_of(chain: Chain) -> Look:
    """The look of a chain; a missing or broken colour becomes the house's own."""
    color = _hex(_rgb(chain.brand_color))[1:]
    said = f"{chain.name}\x00{color}\x00{chain.logo_digest}"
    return Look(color=color, mark=hashlib.sha256(said.encode()).hexdigest()[:12])


def stylesheet(color: str) -> str:
    """The chain's colours for its pages: text on the brand turns dark or light by itself."""
    brand = _rgb(color)
    on_brand = INK if contrast(brand, INK) >= CONTRAST_MIN > contrast(brand, WHITE) else WHITE
    # A middle tone carries neither white nor ink: it becomes as much darker as white needs.
    brand = _readable(brand, behind=WHITE) if on_brand == WHITE else brand
    soft = _mixed(brand, WHITE, 0.1)
    # Coloured words stand on paper, on white and on the soft tint: the darkest of them decides.
    ink = _readable(brand, behind=min((PAPER, soft), key=_luminance))
    deep = _mixed(brand, INK if on_brand == WHITE else WHITE, 0.8)
    return (
        f":root{{--brand:{_hex(brand)};--on-brand:{_hex(on_brand)};--brand-ink:{_hex(ink)};"
        f"--brand-soft:{_hex(soft)};--brand-deep:{_hex(deep)}}}\n"
    )


def _initials(name: str) -> str:
    return next((letter for letter in name if letter.isalnum()), "M").upper()


@functools.lru_cache(maxsize=256)
def initial_icon(name: str, color: str, size: int) -> bytes:
    """A home-screen icon: the chain's initial on its colour, as PNG."""
    brand = _rgb(color)
    image = Image.new("RGB", (size, size), brand)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size * 0.56)
    on_brand = WHITE if contrast(brand, WHITE) >= 3 else INK
    draw.text((size / 2, size / 2), _initials(name), font=font, fill=on_brand, anchor="mm")
    return _png(image)


def logo_icon(logo: bytes, color: str, size: int) -> bytes:
    """A home-screen icon: the chain's logo, whole, within the safe zone of round icons, as PNG."""
    with Image.open(io.BytesIO(logo), formats=["PNG", "WEBP", "JPEG"]) as opened:
        if opened.width * opened.height > _LOGO_PIXELS_MAX:
            raise ValueError("logo has too many pixels")
        drawn = opened.convert("RGBA")
    # Maskable icons may lose all outside a circle of 80 % of the side.
    drawn.thumbnail((round(size * 0.7), round(size * 0.7)))
    image = Image.new("RGB", (size, size), WHITE)
    image.paste(drawn, ((size - drawn.width) // 2, (size - drawn.height) // 2), drawn)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
