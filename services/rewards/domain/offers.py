"""Offers as this service knows them: when they may be taken, and how long their coupons last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.rewards.domain.ids import ChainId, OfferId

# Instants of the last year that a calendar knows do not survive a change of zone.
LAST_YEAR = date.max.year


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """One version of an offer. Days are inclusive and count in the chain's home zone (D7, D38)."""

    id: OfferId
    chain_id: ChainId
    title: str
    description: str
    exclusion: str
    start_date: date
    end_date: date
    coupon_expiry_date: date | None
    shown_in_app: bool
    deleted: bool
    version: int
    home_zone: str


def is_running(offer: OfferTerms, *, now: datetime) -> bool:
    """Whether the offer may be taken: it is not deleted, and today lies between its dates.

    A coupon that could not be used any more is not given out. Whether the app shows the offer
    plays no part: one that was sent may be taken by its link (LS-57).
    """
    today = now.astimezone(ZoneInfo(offer.home_zone)).date()
    expires_at = coupon_expires_at(offer)
    return (
        not offer.deleted
        and offer.start_date <= today <= offer.end_date
        and (expires_at is None or now < expires_at)
    )


def coupon_expires_at(offer: OfferTerms) -> datetime | None:
    """The first instant at which the coupon is no longer usable; None = never (LS-54, OF2)."""
    last_day = offer.coupon_expiry_date
    if last_day is None or last_day.year >= LAST_YEAR:
        return None
    midnight = datetime.combine(
        last_day + timedelta(days=1), time(), tzinfo=ZoneInfo(offer.home_zone)
    )
    return midnight.astimezone(UTC)
