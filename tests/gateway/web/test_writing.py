"""Days, times and numbers as people write them in each language."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.gateway.web import i18n

TORONTO = ZoneInfo("America/Toronto")
# No line breaks between a number and what it counts.
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("day", "language", "written"),
    [
        ("2027-06-01", "fr", "1er juin 2027"),
        ("2027-06-11", "fr", "11 juin 2027"),
        ("2027-06-21", "fr", "21 juin 2027"),
        ("2027-06-01", "en", "June 1, 2027"),
    ],
)
def test_the_first_of_a_month_is_an_ordinal_in_french_alone(
    day: str, language: str, written: str
) -> None:
    assert i18n.format_date(day, language) == written


@pytest.mark.parametrize(
    ("moment", "language", "written"),
    [
        ("13:00", "fr", f"9{SPACE}h"),
        ("13:05", "fr", f"9{SPACE}h{SPACE}05"),
        ("22:30", "fr", f"18{SPACE}h{SPACE}30"),
        ("04:00", "fr", f"0{SPACE}h"),
    ],
)
def test_full_hours_have_no_minutes_in_french(moment: str, language: str, written: str) -> None:
    at = datetime.fromisoformat(f"2027-06-01T{moment}:00").replace(tzinfo=UTC)
    assert i18n.format_time(at, language, TORONTO) == written


def test_english_times_say_the_half_of_the_day() -> None:
    at = datetime(2027, 6, 1, 13, tzinfo=UTC)
    assert (
        i18n.format_time(at, "en", TORONTO).replace("\N{NARROW NO-BREAK SPACE}", " ") == "9:00 a.m."
    )


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+15145550154", "+1 514-555-0154"), ("+33612345678", "+33 6 12 34 56 78"), ("42", "42")],
)
def test_phones_are_grouped_as_their_country_does(number: str, shown: str) -> None:
    assert i18n.format_phone(number) == shown
