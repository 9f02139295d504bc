"""Texts that people write: tidied, and refused where they are none."""

from __future__ import annotations

import unicodedata

from services.points.domain.errors import TextInvalid


def tidy_text(field: str, text: str, *, length_max: int) -> str:
    """A text without outer blanks; refuses one that is too long or holds control characters."""
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > length_max or any(unicodedata.category(sign) == "Cc" for sign in text):
        raise TextInvalid(field=field, length_max=length_max)
    return text
