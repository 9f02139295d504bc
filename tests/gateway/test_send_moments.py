"""The moment that a salon types for a message that is to leave later."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.gateway.admin.sending import moment_of

TORONTO = ZoneInfo("America/Toronto")


def test_an_hour_is_one_of_the_salons_own_clock() -> None:
    assert moment_of("2027-01-05T09:30", TORONTO) == datetime(2027, 1, 5, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wanted", "zone"),
    [
        ("demain", TORONTO),
        ("2027-02-30T09:30", TORONTO),
        ("9999-12-31T23:59", TORONTO),
        ("0001-01-01T00:00", ZoneInfo("Europe/Paris")),
    ],
)
def test_what_no_calendar_has_is_no_moment(wanted: str, zone: ZoneInfo) -> None:
    """Bad input is told at its box and is never a fault of ours."""
    assert moment_of(wanted, zone) is None
