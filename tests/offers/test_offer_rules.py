"""The rules of an offer by themselves: what it may say, and on which days it shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.offers.domain import errors
from services.offers.domain.offer import (
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    ChainId,
    Change,
    Offer,
    OfferId,
    OfferType,
    Stage,
    changed_terms,
    checked_terms,
)
from tests.offers.conftest import draft

TORONTO = ZoneInfo("America/Toronto")


def offer(**words: object) -> Offer:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Offer(
        chain_id=ChainId(uuid4()),
        id=OfferId(uuid4()),
        terms=checked_terms(draft(**words)),
        version=1,
        created_at=moment,
        updated_at=moment,
        deleted_at=None,
        image_digest="",
    )


def local(text: str, zone: ZoneInfo = TORONTO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "stage"),
    [
        ("2026-12-09T23:59:59", Stage.AHEAD),
        ("2026-12-10T00:00:00", Stage.RUNNING),
        ("2026-12-31T23:59:59", Stage.RUNNING),
        ("2027-01-01T00:00:00", Stage.OVER),
    ],
)
def test_both_days_of_an_offer_count_whole_in_the_home_zone(moment: str, stage: Stage) -> None:
    """LS-52, D7, OF1: end 31 December is not visible on 1 January."""
    now = local(moment)
    assert offer().stage(now=now, zone=TORONTO) is stage
    assert offer().is_visible(now=now, zone=TORONTO) is (stage is Stage.RUNNING)


@pytest.mark.parametrize("zone", ["America/Toronto", "Pacific/Auckland", "America/St_Johns"])
@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-04-05", "2026-09-27"])
def test_a_day_on_which_clocks_change_begins_and_ends_with_its_date(zone: str, day: str) -> None:
    """LS-52: a day of 23 or 25 hours is one day. Method: ask every quarter of an hour around it."""
    where = ZoneInfo(zone)
    one_day = offer(start_date=day, end_date=day)
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
    for _ in range(4 * 72):
        expected = moment.astimezone(where).date().isoformat() == day
        assert one_day.is_visible(now=moment, zone=where) is expected
        moment += timedelta(minutes=15)


def test_an_unticked_offer_is_never_in_the_app_even_inside_its_dates() -> None:
    """LS-57."""
    hidden = offer(shown_in_app=False)
    now = local("2026-12-15T12:00:00")
    assert not hidden.is_visible(now=now, zone=TORONTO)
    # Its link still opens it.
    assert hidden.stage(now=now, zone=TORONTO) is Stage.RUNNING


def test_a_deleted_offer_is_never_in_the_app() -> None:
    """LS-58."""
    gone = replace(offer(), deleted_at=local("2026-12-12T12:00:00"))
    assert not gone.is_visible(now=local("2026-12-15T12:00:00"), zone=TORONTO)


def test_the_type_is_instant_without_being_chosen() -> None:
    """LS-50."""
    assert checked_terms(draft()).type is OfferType.INSTANT


def test_a_coupon_without_its_own_day_never_expires() -> None:
    """LS-54."""
    assert checked_terms(draft(coupon_expiry_date="")).coupon_expiry_date is None
    later = checked_terms(draft(coupon_expiry_date="2027-01-15"))
    assert later.coupon_expiry_date == date(2027, 1, 15)


@pytest.mark.parametrize(
    ("words", "refusal", "field"),
    [
        ({"title": ""}, errors.TitleRequired, "title"),
        ({"title": "   \n "}, errors.TitleRequired, "title"),
        ({"title": "x" * (TITLE_LENGTH_MAX + 1)}, errors.TextTooLong, "title"),
        ({"title": "a\x00b"}, errors.TextInvalid, "title"),
        ({"title": "a\nb"}, errors.TextInvalid, "title"),
        ({"description": "x" * (TEXT_LENGTH_MAX + 1)}, errors.TextTooLong, "description"),
        ({"exclusion": "x" * 1_000_000}, errors.TextTooLong, "exclusion"),
        ({"exclusion": "\x07"}, errors.TextInvalid, "exclusion"),
        ({"start_date": ""}, errors.DateRequired, "start_date"),
        ({"end_date": ""}, errors.DateRequired, "end_date"),
        ({"start_date": "2026-02-30"}, errors.DateInvalid, "start_date"),
        ({"start_date": "20261210"}, errors.DateInvalid, "start_date"),
        ({"start_date": "2026-W50-1"}, errors.DateInvalid, "start_date"),
        ({"start_date": "10/12/2026"}, errors.DateInvalid, "start_date"),
        ({"start_date": "٢٠٢٦-١٢-١٠"}, errors.DateInvalid, "start_date"),
        ({"end_date": "9999-12-31"}, errors.DateInvalid, "end_date"),
        ({"start_date": "0001-01-01"}, errors.DateInvalid, "start_date"),
        ({"end_date": "2026-12-09"}, errors.EndBeforeStart, "end_date"),
        ({"coupon_expiry_date": "demain"}, errors.DateInvalid, "coupon_expiry_date"),
        (
            {"coupon_expiry_date": "2026-12-09"},
            errors.CouponExpiryBeforeStart,
            "coupon_expiry_date",
        ),
    ],
)
def test_what_an_offer_may_not_say_is_refused_with_its_field(
    words: dict[str, object], refusal: type[errors.Refusal], field: str
) -> None:
    """LS-51, LS-52, LS-54, LS-55."""
    with pytest.raises(refusal) as refused:
        checked_terms(draft(**words))
    assert refused.value.field == field


def test_texts_keep_their_lines_and_lose_their_outer_blanks() -> None:
    """LS-55: emoji, accents and line breaks are shown as typed."""
    terms = checked_terms(draft(title="  Été ✂️ ", description="Un\r\nDeux\n"))
    assert (terms.title, terms.description) == ("Été ✂️", "Un\nDeux")


def test_an_offer_of_one_day_is_an_offer() -> None:
    """LS-52: both days are inclusive, so they may be the same."""
    one_day = offer(start_date="2026-12-24", end_date="2026-12-24")
    assert one_day.is_visible(now=local("2026-12-24T12:00:00"), zone=TORONTO)


def test_a_change_is_checked_together_with_what_stays() -> None:
    """LS-58: moving the start behind the end that stays is refused."""
    with pytest.raises(errors.EndBeforeStart):
        changed_terms(checked_terms(draft()), Change(start_date="2027-01-02"))


@given(
    start=st.dates(min_value=date(2000, 1, 1), max_value=date(2199, 12, 1)),
    days=st.integers(min_value=0, max_value=30),
    zone=st.sampled_from(["America/Toronto", "Pacific/Kiritimati", "Pacific/Niue", "UTC"]),
    offset_hours=st.integers(min_value=-60, max_value=24 * 35),
)
def test_visibility_is_the_comparison_of_local_days(
    start: date, days: int, zone: str, offset_hours: int
) -> None:
    """LS-52: for any zone and moment."""
    end = min(start + timedelta(days=days), date(2199, 12, 31))
    where = ZoneInfo(zone)
    shown = offer(start_date=start.isoformat(), end_date=end.isoformat())
    moment = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(
        hours=offset_hours
    )
    inside = start <= moment.astimezone(where).date() <= end
    assert shown.is_visible(now=moment, zone=where) is inside
