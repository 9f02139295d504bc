"""What may stand in a field: strict types, limits, no control characters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from services.gateway.errors import ApiError
from services.gateway.pos.fields import Day, Flag, Id, Key, Moment, Name, Points, known_id
from services.gateway.validation import errors_of, field_of


class Form(BaseModel):
    """One field of each kind."""

    points: Points | None = None
    name: Name | None = None
    key: Key | None = None
    id: Id | None = None
    at: Moment | None = None
    day: Day | None = None
    flag: Flag | None = None
    language: Literal["fr", "en"] | None = None


def codes_of(**said: Any) -> list[tuple[str, str]]:
    """The codes and fields of what is refused."""
    with pytest.raises(ValidationError) as refused:
        Form(**said)
    found = errors_of(refused.value.errors())
    return [(error.code, error.field) for error in found]


@pytest.mark.parametrize(
    ("points", "code"),
    [
        (0, "VALUE_TOO_LOW"),
        (-1, "VALUE_TOO_LOW"),
        (2**31, "VALUE_TOO_HIGH"),
        (10**400, "VALUE_TOO_HIGH"),
        (1.0, "EXPECTED_INTEGER"),
        (1.5, "EXPECTED_INTEGER"),
        (float("nan"), "EXPECTED_INTEGER"),
        ("1", "EXPECTED_INTEGER"),
        (True, "EXPECTED_INTEGER"),
        ([1], "EXPECTED_INTEGER"),
        ({}, "EXPECTED_INTEGER"),
    ],
)
def test_points_are_whole_numbers_and_nothing_else(points: Any, code: str) -> None:
    """M10: zero, negative, fractional and huge numbers are refused."""
    assert codes_of(points=points) == [(code, "points")]


def test_a_text_of_another_form_hears_which_one() -> None:
    class Line(BaseModel):
        quantity: Annotated[str, Field(pattern=r"^[0-9]{1,7}$")]

    with pytest.raises(ValidationError) as refused:
        Line(quantity="99999999")
    (error,) = errors_of(refused.value.errors())
    assert (error.code, error.field) == ("VALUE_REGEX_MISMATCH", "quantity")
    for language in ("en", "fr"):
        assert "^[0-9]{1,7}$" in error.told(language)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "VALUE_EMPTY"),
        ("   ", "VALUE_EMPTY"),
        ("a\x00b", "INVALID_VALUE"),
        ("a\nb", "INVALID_VALUE"),
        ("\u202e\ud800", "INVALID_VALUE"),
        ("x" * 121, "VALUE_TOO_LONG"),
        ("x" * 1_000_000, "VALUE_TOO_LONG"),
        (7, "EXPECTED_STRING"),
        (None, None),
    ],
)
def test_names_are_texts_that_can_be_shown(name: Any, code: str | None) -> None:
    if code is None:
        assert Form(name=name).name is None
    else:
        assert codes_of(name=name) == [(code, "name")]


def test_emoji_and_accents_are_fine_in_a_name() -> None:
    assert Form(name=" Zoé 💇🏽‍♀️ ").name == "Zoé 💇🏽‍♀️"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T23:59:00-05:00", datetime(2026, 2, 1, 4, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:00Z", datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:00.123456789Z", datetime(2026, 1, 31, 23, 59, 0, 123456, tzinfo=UTC)),
    ],
)
def test_moments_are_rfc_3339_with_a_zone(text: str, moment: datetime) -> None:
    assert Form(at=text).at == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31T23:59:00",
        "1700000000",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2026-02-30T00:00:00Z",
        "",
        "x" * 1000,
    ],
)
def test_other_times_are_refused(text: str) -> None:
    assert codes_of(at=text) == [("INVALID_TIME", "at")]


@pytest.mark.parametrize("day", ["2026-02-30", "2026-1-1", "31-01-2026", "20260131"])
def test_a_day_is_one_of_the_calendar(day: str) -> None:
    assert codes_of(day=day) == [("INVALID_DATE", "day")]


@given(st.text(max_size=60))
def test_a_moment_or_an_error_but_never_a_fault(text: str) -> None:
    try:
        made = Form(at=text)
    except ValidationError:
        return
    assert made.at is not None
    assert made.at.tzinfo is not None


@given(st.text(max_size=60))
def test_what_is_no_id_of_ours_is_not_found(text: str) -> None:
    if re.fullmatch(r"[0-9a-fA-F-]{32,}", text):
        return
    with pytest.raises(ApiError) as refused:
        known_id(text)
    assert refused.value.status == 404


def test_a_flag_is_true_or_false() -> None:
    assert codes_of(flag="true") == [("EXPECTED_BOOLEAN", "flag")]
    assert codes_of(flag=1) == [("EXPECTED_BOOLEAN", "flag")]


def test_fields_are_told_as_the_caller_wrote_them() -> None:
    assert field_of(("body", "query", "mappings", 0, "phone_number")) == (
        "query.mappings[0].phone_number"
    )
    assert field_of(("query", "limit")) == "limit"


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", "Une de ces valeurs est attendue\N{NO-BREAK SPACE}: fr, en."),
        ("en", "This must be one of: fr, en."),
    ],
)
def test_values_that_may_stand_are_listed_in_one_language(language: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Form.model_validate({"language": "es"})
    (error,) = errors_of(refused.value.errors())
    assert error.told(language) == told
