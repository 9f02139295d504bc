"""How long a text is for the networks: GSM-7 or UCS-2, and in how many parts it goes.

3GPP TS 23.038 (alphabet) and TS 23.040 (concatenation). Of French letters é è à ù are inside
GSM-7, ê ç â î ô û ë ï are not, nor is the curly apostrophe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

GSM7_SINGLE = 160
GSM7_PART = 153
UCS2_SINGLE = 70
UCS2_PART = 67

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these takes an escape before it.
_EXTENDED = frozenset("\f^{}\\[~]|€")

# Signs that writers and their software put in, and what a phone shows as well.
_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u00ab": '"',
        "\u00bb": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u0153": "oe",
        "\u0152": "OE",
        "\t": " ",
    }
)


class Encoding(StrEnum):
    """The alphabet that a text needs."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """What a text costs: one segment is one message paid."""

    encoding: Encoding
    units: int
    segments: int


def plain(text: str) -> str:
    """The text with typographic signs made plain, so that GSM-7 can hold it; letters stay."""
    return text.translate(_PLAIN)


def beyond_gsm7(text: str) -> str:
    """The letters of a text that make it UCS-2, each once, in order."""
    return "".join(
        dict.fromkeys(sign for sign in text if sign not in _BASIC and sign not in _EXTENDED)
    )


def measured(text: str) -> Length:
    """Alphabet, length and segments of a text."""
    if all(sign in _BASIC or sign in _EXTENDED for sign in text):
        return _length(
            text,
            encoding=Encoding.GSM7,
            width=lambda sign: 2 if sign in _EXTENDED else 1,
            single=GSM7_SINGLE,
            part=GSM7_PART,
        )
    return _length(
        text,
        encoding=Encoding.UCS2,
        width=lambda sign: 2 if ord(sign) > 0xFFFF else 1,
        single=UCS2_SINGLE,
        part=UCS2_PART,
    )


def _length(
    text: str, *, encoding: Encoding, width: Callable[[str], int], single: int, part: int
) -> Length:
    """Count segments; a sign of two units is never cut in two."""
    widths = [width(sign) for sign in text]
    units = sum(widths)
    if units <= single:
        return Length(encoding=encoding, units=units, segments=1 if units else 0)
    segments, used = 1, 0
    for one in widths:
        if used + one > part:
            segments, used = segments + 1, 0
        used += one
    return Length(encoding=encoding, units=units, segments=segments)
