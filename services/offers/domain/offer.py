"""Offers: what they say, the days on which the app shows them, and the coupon's last day."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID
from zoneinfo import ZoneInfo

from services.offers.domain.errors import (
    CouponExpiryBeforeStart,
    DateInvalid,
    DateRequired,
    EndBeforeStart,
    TextInvalid,
    TextTooLong,
    TitleRequired,
)

ChainId = NewType("ChainId", UUID)
OfferId = NewType("OfferId", UUID)

# One line on a phone's screen, with room for the longest the vendor shows.
TITLE_LENGTH_MAX = 120
# A page of small print; more is not read.
TEXT_LENGTH_MAX = 2_000
# Nobody plans outside of these, and time zones have no rules for the far ends of the calendar.
YEAR_MIN = 2000
YEAR_MAX = 2199

_DAY_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class OfferType(StrEnum):
    """How an offer is given; "Offre instantanée" is the one there is (LS-50)."""

    INSTANT = "INSTANT"


class Stage(StrEnum):
    """Where a day stands to an offer's dates."""

    AHEAD = "AHEAD"
    RUNNING = "RUNNING"
    OVER = "OVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """What the owner writes in the editor, checked."""

    type: OfferType
    title: str
    description: str
    exclusion: str
    start_date: date
    end_date: date
    coupon_expiry_date: date | None
    shown_in_app: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer of a chain. A deleted one is kept: coupons taken of it live on (LS-58)."""

    chain_id: ChainId
    id: OfferId
    terms: OfferTerms
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    # Of its picture; empty = the chain's logo (LS-56).
    image_digest: str

    def stage(self, *, now: datetime, zone: ZoneInfo) -> Stage:
        """Whether it is to come, runs or is over: both days count whole, in the home zone.

        D7, OF1. The local day is compared, so the length of a day on which clocks change does not
        matter.
        """
        today = now.astimezone(zone).date()
        if today < self.terms.start_date:
            return Stage.AHEAD
        return Stage.RUNNING if today <= self.terms.end_date else Stage.OVER

    def is_visible(self, *, now: datetime, zone: ZoneInfo) -> bool:
        """Whether the chain's app shows the offer (LS-52, LS-57)."""
        if self.deleted_at is not None or not self.terms.shown_in_app:
            return False
        return self.stage(now=now, zone=zone) is Stage.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What someone typed: days as text, an empty coupon day for a coupon that never expires."""

    title: str
    description: str
    exclusion: str
    start_date: str
    end_date: str
    coupon_expiry_date: str
    shown_in_app: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What someone changed in the editor; None stays as it is."""

    title: str | None = None
    description: str | None = None
    exclusion: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    coupon_expiry_date: str | None = None
    shown_in_app: bool | None = None


def checked_terms(draft: Draft) -> OfferTerms:
    """The terms of a draft.

    Refuses with TitleRequired, TextTooLong, TextInvalid, DateRequired, DateInvalid,
    EndBeforeStart, CouponExpiryBeforeStart.
    """
    title = _text(draft.title, field="title", length_max=TITLE_LENGTH_MAX, lines=False)
    if not title:
        raise TitleRequired
    description = _text(
        draft.description, field="description", length_max=TEXT_LENGTH_MAX, lines=True
    )
    exclusion = _text(draft.exclusion, field="exclusion", length_max=TEXT_LENGTH_MAX, lines=True)
    start_date = _day(draft.start_date, field="start_date")
    end_date = _day(draft.end_date, field="end_date")
    if end_date < start_date:
        raise EndBeforeStart(params={"start_date": start_date.isoformat()})
    expiry = None
    if draft.coupon_expiry_date:
        expiry = _day(draft.coupon_expiry_date, field="coupon_expiry_date")
        if expiry < start_date:
            raise CouponExpiryBeforeStart(params={"start_date": start_date.isoformat()})
    return OfferTerms(
        type=OfferType.INSTANT,
        title=title,
        description=description,
        exclusion=exclusion,
        start_date=start_date,
        end_date=end_date,
        coupon_expiry_date=expiry,
        shown_in_app=draft.shown_in_app,
    )


def changed_terms(terms: OfferTerms, change: Change) -> OfferTerms:
    """The terms after a change; refuses as `checked_terms` does, for the whole of them."""
    expiry = terms.coupon_expiry_date.isoformat() if terms.coupon_expiry_date else ""
    return checked_terms(
        Draft(
            title=_or(change.title, terms.title),
            description=_or(change.description, terms.description),
            exclusion=_or(change.exclusion, terms.exclusion),
            start_date=_or(change.start_date, terms.start_date.isoformat()),
            end_date=_or(change.end_date, terms.end_date.isoformat()),
            coupon_expiry_date=_or(change.coupon_expiry_date, expiry),
            shown_in_app=terms.shown_in_app if change.shown_in_app is None else change.shown_in_app,
        )
    )


def terms_a_year_later(terms: OfferTerms) -> OfferTerms:
    """The same words with each day a year later; 29 February becomes 28 February (LS-62).

    Refuses with DateInvalid where that is past the last year that anyone plans for.
    """
    expiry = terms.coupon_expiry_date
    return replace(
        terms,
        start_date=_a_year_later(terms.start_date, field="start_date"),
        end_date=_a_year_later(terms.end_date, field="end_date"),
        coupon_expiry_date=_a_year_later(expiry, field="coupon_expiry_date") if expiry else None,
    )


def _a_year_later(day: date, *, field: str) -> date:
    if day.year >= YEAR_MAX:
        raise DateInvalid(field=field)
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28 if is_leap_day else day.day)


def _or(given: str | None, present: str) -> str:
    return present if given is None else given


def _text(given: str, *, field: str, length_max: int, lines: bool) -> str:
    """The text without outer blanks; refuses what is too long or holds control characters."""
    text = given.replace("\r\n", "\n").strip()
    if len(text) > length_max:
        raise TextTooLong(field=field, params={"length_max": str(length_max)})
    allowed = "\n\t" if lines else ""
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in allowed for sign in text):
        raise TextInvalid(field=field)
    return text


def _day(given: str, *, field: str) -> date:
    if not given:
        raise DateRequired(field=field)
    if _DAY_FORM.fullmatch(given) is None:
        raise DateInvalid(field=field)
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise DateInvalid(field=field) from None
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise DateInvalid(field=field)
    return day
