"""Moments on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.moments import timestamp


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_travels_as_the_library_would_send_it(moment: datetime) -> None:
    expected = Timestamp()
    try:
        expected.FromDatetime(moment)
        expected.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return
    assert timestamp(moment) == expected
