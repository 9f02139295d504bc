"""Phones and e-mail addresses as people type them, and what IANA and CLDR know of places.

Pure: the libraries' own tables are all that is read. What a library says about a wrong text is
dropped, for it repeats the text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from zoneinfo import available_timezones

import phonenumbers
from babel.core import get_global
from email_validator import EmailNotValidError, validate_email

from services.enrollment.domain.errors import (
    CurrencyInvalid,
    EmailInvalid,
    PhoneInvalid,
    TimeZoneInvalid,
)

REGION_DEFAULT = "CA"
# E.164 has 15 digits at most; people add brackets, dots and spaces.
PHONE_LENGTH_MAX = 40
# RFC 5321 4.5.3.1.3, less the angle brackets.
EMAIL_LENGTH_MAX = 254
# Letters would be read as keys of the dial (1-800-FLOWERS) and a semicolon as a parameter.
_PHONE_FORM = re.compile(r"[\d\s().+/\u2010-\u2015\u00a0-]+")
_CURRENCY_FORM = re.compile(r"[A-Z]{3}", re.ASCII)


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    # These three are files of the database and not places.
    return frozenset(available_timezones()) - {"Factory", "localtime", "posixrules"}


def read_time_zone(text: str, *, field: str) -> str:
    """A time zone by its IANA name. Refuses with `TimeZoneInvalid`."""
    zone = text.strip()
    if zone not in _time_zones():
        raise TimeZoneInvalid(field=field)
    return zone


def read_currency(text: str, *, field: str) -> str:
    """A currency by its ISO 4217 letters. Refuses with `CurrencyInvalid`."""
    currency = text.strip().upper()
    if _CURRENCY_FORM.fullmatch(currency) is None or currency not in get_global("all_currencies"):
        raise CurrencyInvalid(field=field)
    return currency


def region_of(time_zone: str) -> str:
    """The country in which a phone without country code is read: that of the chain's home zone."""
    zone = get_global("zone_aliases").get(time_zone, time_zone)
    region = get_global("zone_territories").get(zone, REGION_DEFAULT)
    return region if region in phonenumbers.SUPPORTED_REGIONS else REGION_DEFAULT


def read_phone(text: str, *, region: str, field: str) -> str:
    """A phone in E.164, or empty for an empty text. Refuses with `PhoneInvalid`."""
    text = text.strip()
    if not text:
        return ""
    if len(text) > PHONE_LENGTH_MAX or _PHONE_FORM.fullmatch(text) is None:
        raise PhoneInvalid(field=field)
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise PhoneInvalid(field=field) from None
    if not phonenumbers.is_valid_number(number):
        raise PhoneInvalid(field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def read_email(text: str, *, field: str) -> str:
    """An e-mail address with its domain in lower case, or empty for an empty text.

    Names kept for tests (`.test`) are addresses too: nothing is asked of the network.
    Refuses with `EmailInvalid`.
    """
    text = text.strip()
    if not text:
        return ""
    if len(text) > EMAIL_LENGTH_MAX:
        raise EmailInvalid(field=field)
    try:
        read = validate_email(
            text, check_deliverability=False, test_environment=True, strict=True
        ).normalized
    except EmailNotValidError:
        raise EmailInvalid(field=field) from None
    if len(read) > EMAIL_LENGTH_MAX or "." not in read.rpartition("@")[2]:
        raise EmailInvalid(field=field)
    return read


def email_key(email: str) -> str:
    """What two spellings of one e-mail address have in common: case does not tell people apart."""
    return email.casefold()
