"""Phone numbers and addresses as callers write them, in the one form that we keep."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

from services.messaging.domain.errors import PhoneInvalid

# A number without its country is one from here.
DEFAULT_REGION = "CA"
LENGTH_MAX = 64


def e164(text: str, *, field: str) -> str:
    """A phone number in E.164. Refuses with PhoneInvalid what no phone can have."""
    try:
        number = phonenumbers.parse(text[:LENGTH_MAX], DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        raise PhoneInvalid(field=field) from None
    if not phonenumbers.is_possible_number(number):
        raise PhoneInvalid(field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def recipient(text: str) -> str:
    """An address to search by: an e-mail in lower case, a phone in E.164, else as it stands."""
    if "@" in text:
        return text.strip().lower()
    try:
        return e164(text, field="to")
    except PhoneInvalid:
        return text.strip()


def zone_of(number: str) -> ZoneInfo | None:
    """The time zone of a phone where its number lies in one single zone, else None."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(number))
        if len(zones) != 1 or zones[0] == timezone.UNKNOWN_TIMEZONE:
            return None
        return ZoneInfo(zones[0])
    except (phonenumbers.NumberParseException, ZoneInfoNotFoundError, ValueError, OSError):
        return None
