"""Words that people give to definitions."""

from __future__ import annotations

from services.rewards.domain.errors import InvalidValue

# A name stands on a button and in a text message.
NAME_LENGTH_MAX = 120
DESCRIPTION_LENGTH_MAX = 2_000


def checked_text(value: str, *, field: str, length_max: int, required: bool) -> str:
    """The words without spaces around them.

    Refuses with `InvalidValue` when they are missing, too long, or hold control characters other
    than line ends.
    """
    words = value.strip()
    if required and not words:
        raise InvalidValue(field=field, params={"problem": "missing"})
    if len(words) > length_max:
        raise InvalidValue(
            field=field, params={"problem": "too_long", "length_max": str(length_max)}
        )
    if any((ord(sign) < 32 and sign not in "\n\r\t") or ord(sign) == 127 for sign in words):
        raise InvalidValue(field=field, params={"problem": "control_characters"})
    return words
