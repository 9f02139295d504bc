"""Members: who they are, how they came, and what may be changed about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.enrollment.domain.chains import Language
from services.enrollment.domain.errors import (
    AddressRequired,
    BirthdayInvalid,
    ConsentInvalid,
    EnrolledAtInvalid,
)
from services.enrollment.domain.ids import ChainId, MemberId, SalonId

REFERENCE_ID_LENGTH_MAX = 100
WORDING_VERSION_LENGTH_MAX = 64
# One grant for each channel, and some repetition does no harm.
CONSENTS_MAX = 10
BIRTH_YEAR_MIN = 1900
# Older than any program that could be migrated.
ENROLLED_AT_MIN = datetime(1980, 1, 1, tzinfo=UTC)
# A leap year, so that 29 February is a day (LS-71).
_ANY_LEAP_YEAR = 2000
_BIRTHDAY_FORM = re.compile(r"(\d{4}|-)-(\d{2})-(\d{2})", re.ASCII)


class Source(StrEnum):
    """By which door a member came (D24, LS-40 to LS-45)."""

    JOIN_QR = "join_qr"
    SMS = "sms"
    WEB = "web"
    EMAIL = "email"
    SOCIAL = "social"
    TYPED = "typed"
    TABLET = "tablet"
    TILL = "till"
    RECEIPT = "receipt"
    PANEL = "panel"
    IMPORT = "import"
    STATUS_PAGE = "status_page"
    EARN_QR = "earn_qr"


class Channel(StrEnum):
    """How a person is reached."""

    SMS = "sms"
    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person enrolled with a chain. Phone (E.164) and e-mail are empty when not given."""

    id: MemberId
    chain_id: ChainId
    given_name: str
    family_name: str
    phone: str
    email: str
    birthday: str
    language: Language
    source: Source
    registered_by: Channel
    phone_verified: bool
    email_verified: bool
    note: str
    salon_id: SalonId | None
    enrolled_at: datetime
    created_at: datetime
    updated_at: datetime
    version: int
    reference_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstGrant:
    """A first grant of consent, with the version of the words that she saw (D36)."""

    channel: Channel
    wording_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to change about a member, already read; None leaves a field as it is."""

    given_name: str | None = None
    family_name: str | None = None
    phone: str | None = None
    email: str | None = None
    birthday: str | None = None
    language: Language | None = None
    note: str | None = None
    reference_id: str | None = None


def read_birthday(text: str, *, field: str, now: datetime, time_zone: str) -> str:
    """A birthday, "YYYY-MM-DD" or "--MM-DD" without the year, or empty (LS-71).

    29 February is a day. Refuses with `BirthdayInvalid` what is no day, or not past in the
    chain's home zone.
    """
    text = text.strip()
    if not text:
        return ""
    match = _BIRTHDAY_FORM.fullmatch(text)
    if match is None:
        raise BirthdayInvalid(field=field)
    year, month, day = match.groups()
    try:
        born = date(_ANY_LEAP_YEAR if year == "-" else int(year), int(month), int(day))
    except ValueError:
        raise BirthdayInvalid(field=field) from None
    today = now.astimezone(ZoneInfo(time_zone)).date()
    if year != "-" and not (born.year >= BIRTH_YEAR_MIN and born <= today):
        raise BirthdayInvalid(field=field)
    return text


def read_enrolled_at(given: datetime | None, *, now: datetime) -> datetime:
    """When she enrolled: now unless said; past in a migration. Refuses with `EnrolledAtInvalid`."""
    if given is None:
        return now
    if not ENROLLED_AT_MIN <= given <= now:
        raise EnrolledAtInvalid(field="enrolled_at")
    return given


def registered_by(*, phone: str, email: str) -> Channel:
    """The channel by which she joined: her phone when she gave one (LS-60, LS-85).

    Refuses with `AddressRequired` when she gave neither.
    """
    if not phone and not email:
        raise AddressRequired(field="phone")
    return Channel.SMS if phone else Channel.EMAIL


def counted_grants(
    grants: tuple[FirstGrant, ...], *, phone: str, email: str
) -> tuple[FirstGrant, ...]:
    """The first grants that count: one for each channel whose address she gave (D36).

    Refuses with `ConsentInvalid` a grant that does not say which words she saw.
    """
    if len(grants) > CONSENTS_MAX:
        raise ConsentInvalid(field="consents")
    given = {Channel.SMS: phone, Channel.EMAIL: email}
    counted: dict[Channel, FirstGrant] = {}
    for grant in grants:
        words = grant.wording_version
        if not 0 < len(words) <= WORDING_VERSION_LENGTH_MAX or not words.isprintable():
            raise ConsentInvalid(field="consents")
        if given[grant.channel]:
            counted.setdefault(grant.channel, grant)
    return tuple(counted.values())


def changed_member(member: Member, changes: Changes, *, now: datetime) -> Member:
    """The member with what is given changed; the same version when nothing differs.

    A new phone or e-mail address is not verified, whoever wrote it (D34). Refuses with
    `AddressRequired` to take her last address away.
    """
    phone = member.phone if changes.phone is None else changes.phone
    email = member.email if changes.email is None else changes.email
    if not phone and not email:
        raise AddressRequired(field="phone" if changes.phone is not None else "email")
    new = replace(
        member,
        given_name=member.given_name if changes.given_name is None else changes.given_name,
        family_name=member.family_name if changes.family_name is None else changes.family_name,
        phone=phone,
        email=email,
        phone_verified=member.phone_verified and phone == member.phone,
        email_verified=member.email_verified and email.lower() == member.email.lower(),
        birthday=member.birthday if changes.birthday is None else changes.birthday,
        language=member.language if changes.language is None else changes.language,
        note=member.note if changes.note is None else changes.note,
        reference_id=member.reference_id if changes.reference_id is None else changes.reference_id,
    )
    return new if new == member else replace(new, version=member.version + 1, updated_at=now)


def verified_member(member: Member, *, channel: Channel, now: datetime) -> Member:
    """The member whose address on this channel is proven; the same version if it was before."""
    new = replace(
        member,
        phone_verified=member.phone_verified or channel is Channel.SMS,
        email_verified=member.email_verified or channel is Channel.EMAIL,
    )
    return new if new == member else replace(new, version=member.version + 1, updated_at=now)
