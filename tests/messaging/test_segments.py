"""How long a text is for the networks (3GPP TS 23.038 and 23.040)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.segments import Encoding, measured, plain


@pytest.mark.parametrize("letter", list("éèàùÉìòñöäüÇ£@ØøÅå§¿¡ß"))
def test_these_letters_are_inside_gsm7(letter: str) -> None:
    assert measured(letter).encoding is Encoding.GSM7


@pytest.mark.parametrize("letter", list("êçâîôûëïÊÀÈ’“”«»…–œ"))
def test_these_letters_are_outside_gsm7(letter: str) -> None:
    assert measured(letter).encoding is Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", Encoding.GSM7, 0, 0),
        ("a", Encoding.GSM7, 1, 1),
        ("é" * 160, Encoding.GSM7, 160, 1),
        ("é" * 161, Encoding.GSM7, 161, 2),
        ("a" * 306, Encoding.GSM7, 306, 2),
        ("a" * 307, Encoding.GSM7, 307, 3),
        ("€" * 80, Encoding.GSM7, 160, 1),
        ("€" * 81, Encoding.GSM7, 162, 2),
        # An escaped sign is not cut in two: 152 + 2 does not fit into 153.
        ("a" * 152 + "€" + "a" * 152, Encoding.GSM7, 306, 3),
        ("ê" * 70, Encoding.UCS2, 70, 1),
        ("ê" * 71, Encoding.UCS2, 71, 2),
        ("a" * 134 + "ê" * 0 + "ç", Encoding.UCS2, 135, 3),
        ("a" * 133 + "ç", Encoding.UCS2, 134, 2),
        ("🙂" * 35, Encoding.UCS2, 70, 1),
        ("🙂" * 36, Encoding.UCS2, 72, 2),
        # Nor is a surrogate pair: 66 + 2 does not fit into 67.
        ("a" * 66 + "🙂" + "a" * 66, Encoding.UCS2, 134, 3),
    ],
)
def test_segments_are_counted_as_networks_count_them(
    text: str, encoding: Encoding, units: int, segments: int
) -> None:
    length = measured(text)
    assert (length.encoding, length.units, length.segments) == (encoding, units, segments)


def test_typographic_signs_become_plain_and_letters_stay() -> None:
    assert plain("L’été – « œuvre »…") == 'L\'été - " oeuvre "...'
    assert plain("Forêt, Garçon") == "Forêt, Garçon"


@given(text=st.text(max_size=500))
def test_segments_always_hold_the_text_and_no_more_than_needed(text: str) -> None:
    length = measured(text)
    part = 153 if length.encoding is Encoding.GSM7 else 67
    single = 160 if length.encoding is Encoding.GSM7 else 70
    if length.units > single:
        assert length.segments * part >= length.units
        # At most one unit of each part is lost to a sign that may not be cut.
        assert length.segments <= -(-length.units // (part - 1))
    else:
        assert length.segments == (1 if text else 0)
