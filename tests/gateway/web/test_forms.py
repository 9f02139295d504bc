"""What a visitor posts, read without trust."""

import pytest

from services.gateway.web.forms import Contact, Fields, contact_of, own_birthday, whole_number


@pytest.mark.parametrize("text", ["0", "-2", "2.5", "abc", "", "1e3", "٣", "9" * 10, "1 2", "+1"])
def test_a_number_of_points_that_is_none_is_told_beside_its_field(text: str) -> None:
    """M10: zero, negative, fractions and words."""
    number, problems = whole_number(text, "fr", "points")

    assert number == 0
    assert problems.fields == {"points": "Entrez un nombre entier de 1 ou plus."}
    assert problems.status == 400


def test_a_whole_number_is_read() -> None:
    number, problems = whole_number("12", "fr", "points")

    assert number == 12
    assert not problems


def test_the_same_form_sent_twice_has_one_key_and_a_corrected_form_another() -> None:
    """LS-33: a double tap counts once; a form that was corrected is not its repetition."""
    made = "2f0b8e0a-59f5-4ce0-a0ec-3e8d5f2f1f10"
    first = Fields(k=made, points="3", points_code="407")
    again = Fields(points_code="407", points="3", k=made)
    corrected = Fields(k=made, points="3", points_code="408")

    assert first.key == again.key
    assert first.key != corrected.key


def test_a_form_without_its_key_gets_a_fresh_one() -> None:
    assert Fields(k="broken").key != Fields(k="broken").key


def test_an_at_sign_tells_an_address_from_a_number() -> None:
    assert contact_of("  lea@salon.test ") == Contact(email="lea@salon.test")
    assert contact_of("418 555-0142") == Contact(phone="418 555-0142")


def test_a_birthday_needs_day_and_month() -> None:
    assert own_birthday("5", "3") == "--03-05"
    assert own_birthday("5", "") == ""
    assert own_birthday("x", "3") == ""
