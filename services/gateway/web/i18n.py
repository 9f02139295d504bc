"""The visitor's language, the words in it, and how numbers and dates are written in it.

The French words are the message ids: French needs no catalogue and can never lack a text.
English stands in `locales/en/*.po`, one file per room of the gateway, read once at first use.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import phonenumbers
from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_date as babel_date
from babel.dates import format_time as babel_time
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from fastapi import Request
from loyalty.types.v1 import types_pb2

from services.gateway.web.typesetting import french

DateStyle = Literal["full", "long", "medium", "short"]

LANGUAGES = ("fr", "en")
LANGUAGE_COOKIE = "meche_lang"
LANGUAGE_COOKIE_SECONDS = 365 * 24 * 3600
LOCALES = {"fr": "fr_CA", "en": "en_CA"}
_FOLDER = Path(__file__).parent / "locales"
# Currencies whose smallest unit is not a hundredth are told by CLDR; this is only the usual case.
_MINOR_DIGITS = 2
# Longer headers are noise; parsing them would be work for nothing.
_HEADER_CHARACTERS_MAX = 200
# What a program is called that nobody named, in each language; `points` writes the French words.
UNNAMED_PROGRAM: Final = {"fr": "Vos points", "en": "Your points"}


def _english() -> Iterable[Catalog]:
    for file in sorted((_FOLDER / "en").glob("*.po")):
        with file.open("rb") as source:
            yield read_po(source, locale="en")


class Texts:
    """The texts of one language; a text without a translation shows its French words."""

    def __init__(self, language: str, catalogs: Iterable[Catalog]) -> None:
        self.language = language
        self._forms: dict[tuple[str | None, str], tuple[str, ...]] = {}
        for catalog in catalogs:
            for message in catalog:
                if not message.id or message.fuzzy:
                    continue
                one = message.id if isinstance(message.id, str) else message.id[0]
                said = message.string or ""
                forms = (said,) if isinstance(said, str) else tuple(said)
                if all(forms):
                    self._forms[(message.context, one)] = forms

    def _set(self, words: str) -> str:
        return french(words) if self.language == "fr" else words

    def gettext(self, words: str) -> str:
        """These French words in this language."""
        return self._set(self._forms.get((None, words), (words,))[0])

    def pgettext(self, context: str, words: str) -> str:
        """Same for words that mean two things: the context tells which."""
        return self._set(self._forms.get((context, words), (words,))[0])

    def ngettext(self, one: str, many: str, number: int) -> str:
        """The singular or plural; zero is singular in French and plural in English."""
        forms = self._forms.get((None, one), (one, many))
        singular = abs(number) < 2 if self.language == "fr" else abs(number) == 1
        return self._set(forms[0] if singular else forms[-1])

    def npgettext(self, context: str, one: str, many: str, number: int) -> str:
        """The singular or plural of words in a context."""
        forms = self._forms.get((context, one), (one, many))
        singular = abs(number) < 2 if self.language == "fr" else abs(number) == 1
        return self._set(forms[0] if singular else forms[-1])


@functools.cache
def texts(language: str) -> Texts:
    """The catalogue of a language, read once."""
    return Texts(language, _english() if language == "en" else ())


def translate(language: str, words: str, **params: object) -> str:
    """French words in the visitor's language, with `%(name)s` places filled."""
    text = texts(language).gettext(words)
    return text % params if params else text


def translate_count(language: str, one: str, many: str, number: int, **params: object) -> str:
    """Same for words with a number, which is filled in as `%(num)s`."""
    text = texts(language).ngettext(one, many, number)
    return text % {"num": format_number(number, language), **params}


def program_name(name: str, language: str) -> str:
    """A program's name; where nobody chose one, the usual name in the reader's language."""
    return UNNAMED_PROGRAM[language] if is_unnamed(name) else name


def is_unnamed(name: str) -> bool:
    """Whether a program has the name with which it was made."""
    return name in UNNAMED_PROGRAM.values()


def N_(words: str) -> str:
    """Marks words of a table for translation; they are translated where they are shown."""
    return words


def language_of(request: Request, default: str = "fr", *, own: str = "") -> str:
    """The visitor's language: her choice in the address or cookie, the one of her account (`own`),
    her browser's, the chain's.
    """
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return chosen
    if own in LANGUAGES:
        return own
    header = request.headers.get("accept-language", "")[:_HEADER_CHARACTERS_MAX]
    wished = [part.split(";")[0].strip().replace("-", "_") for part in header.split(",")]
    wished = [tag for tag in wished if tag]
    found = negotiate_locale(wished, LANGUAGES) if wished else None
    return found or (default if default in LANGUAGES else "fr")


def language_name(value: types_pb2.Language.ValueType) -> str:
    """`fr` or `en` of a chain's or member's language; French when it is not said."""
    return "en" if value == types_pb2.LANGUAGE_EN else "fr"


def language_value(language: str) -> types_pb2.Language.ValueType:
    """What the services call this language."""
    return types_pb2.LANGUAGE_EN if language == "en" else types_pb2.LANGUAGE_FR


def locale_of(language: str) -> Locale:
    """How numbers and dates are written: Canadian French or Canadian English."""
    return Locale.parse(LOCALES[language])


def format_number(value: int, language: str) -> str:
    """A whole number with the separators of the language."""
    return format_decimal(value, locale=locale_of(language))


def format_money(minor: int, currency: str, language: str) -> str:
    """An amount in minor units as people write it: "20,00 $" or "$20.00"."""
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**_MINOR_DIGITS)
    amount = f"{sign}{whole}.{rest:0{_MINOR_DIGITS}d}"
    return format_currency(Decimal(amount), currency or "CAD", locale=locale_of(language))


def format_date(value: date | str, language: str, style: DateStyle = "long") -> str:
    """A day as people write it; takes "YYYY-MM-DD" too."""
    day = date.fromisoformat(value) if isinstance(value, str) else value
    written = babel_date(day, format=style, locale=locale_of(language))
    # CLDR writes "1 juin"; French says "1er juin".
    return f"1er{written[1:]}" if language == "fr" and written.startswith("1 ") else written


def format_phone(number: str) -> str:
    """A phone number as people read it; one of no known form as it is."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def month_names(language: str) -> list[str]:
    """The twelve months by their names."""
    names = locale_of(language).months["stand-alone"]["wide"]
    return [names[number] for number in range(1, 13)]


def format_moment(value: datetime, language: str, zone: tzinfo, style: DateStyle = "medium") -> str:
    """An instant in the salon's zone, day and time."""
    local = value.astimezone(zone)
    return f"{format_date(local.date(), language, style)} {format_time(value, language, zone)}"


def format_time(value: datetime, language: str, zone: tzinfo) -> str:
    """The time of day of an instant in the salon's zone."""
    local = value.astimezone(zone)
    if language == "fr":
        minutes = f"\N{NO-BREAK SPACE}{local.minute:02d}" if local.minute else ""
        return f"{local.hour}\N{NO-BREAK SPACE}h{minutes}"
    return babel_time(local, format="short", locale=locale_of(language))
