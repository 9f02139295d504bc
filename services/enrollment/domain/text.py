"""What people type: texts with limits, and the folded form in which names are searched."""

from __future__ import annotations

import unicodedata

from services.enrollment.domain.errors import Invalid, NameInvalid, TextInvalid

# Long enough for every real name, short enough for every screen.
NAME_LENGTH_MAX = 80
NOTE_LENGTH_MAX = 1_000

# Control characters, line separators and lone surrogates.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# These turn the direction of what stands after them, on a till's screen too.
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Letters that Unicode does not take apart, as people without that key type them.
_LETTERS = str.maketrans(
    {"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
# Joins within a name that people type or leave out.
_JOINS = str.maketrans(dict.fromkeys("-'’ʼ‘`´‐‑–", " "))


def _read(text: str, *, length_max: int, field: str, allowed: str, refusal: type[Invalid]) -> str:
    # Checked first so that a huge text costs nothing; normalising can only make it a little longer.
    if len(text) > length_max * 4:
        raise refusal(field=field, params={"max": str(length_max)})
    clean = unicodedata.normalize("NFC", text).strip()
    if len(clean) > length_max:
        raise refusal(field=field, params={"max": str(length_max)})
    for character in clean:
        if character in allowed:
            continue
        if (
            unicodedata.category(character) in _REFUSED_CATEGORIES
            or character in _DIRECTION_OVERRIDES
        ):
            raise refusal(field=field, params={"max": str(length_max)})
    return clean


def read_name(text: str, *, field: str, required: bool = False) -> str:
    """A name, trimmed, spaces between words single. Refuses with `NameInvalid`."""
    clean = _read(text, length_max=NAME_LENGTH_MAX, field=field, allowed="", refusal=NameInvalid)
    name = " ".join(clean.split())
    if required and not name:
        raise NameInvalid(field=field, params={"max": str(NAME_LENGTH_MAX)})
    return name


def read_line(text: str, *, field: str, length_max: int) -> str:
    """One line of text, trimmed. Refuses with `TextInvalid`."""
    return _read(text, length_max=length_max, field=field, allowed="", refusal=TextInvalid)


def read_note(text: str, *, field: str) -> str:
    """A text of several lines, trimmed. Refuses with `TextInvalid`."""
    return _read(
        text, length_max=NOTE_LENGTH_MAX, field=field, allowed="\n\t\r", refusal=TextInvalid
    )


def fold(text: str) -> str:
    """Without case, accents, hyphens and apostrophes: `Hélène O’Neil-Roy` → `helene o neil roy`."""
    # Compatibility forms first: a bold mathematical S has a lower case only once it is an S.
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in apart if not unicodedata.combining(character))
    return " ".join(bare.translate(_LETTERS).translate(_JOINS).split())


def digits(text: str) -> str:
    """The digits of a text, whatever script they are in."""
    return "".join(str(unicodedata.digit(c)) for c in text if c.isdecimal())
