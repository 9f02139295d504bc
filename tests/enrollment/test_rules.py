"""The pure rules, without any engine."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.enrollment import addresses
from services.enrollment.domain import chains, codes, credentials, errors, members, search, staff
from services.enrollment.domain import text as texts
from services.enrollment.domain.ids import ChallengeId, MemberId, StaffId
from services.enrollment.domain.members import Channel
from services.enrollment.rpc import STATUS

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_every_refusal_has_a_code_of_its_own_a_text_and_a_status() -> None:
    kinds = {errors.Refusal, errors.Invalid, errors.AlreadyThere, errors.Unproven, errors.NotNow}
    concrete = [
        it
        for _, it in inspect.getmembers(errors, inspect.isclass)
        if issubclass(it, errors.Refusal) and it not in kinds
    ]
    assert len({it.code for it in concrete}) == len(concrete)
    for it in concrete:
        assert it.__doc__
        assert it.code == it.code.lower()
        assert any(issubclass(it, kind) for kind in STATUS), it
    assert {it.code for it in concrete} >= {
        "phone_invalid",
        "email_invalid",
        "birthday_invalid",
        "member_exists",
        "not_found",
        "unauthenticated",
        "slug_taken",
        "code_wrong",
    }


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_name_gives_web_names_that_anybody_could_have_chosen(name: str) -> None:
    for slug in chains.slugs_of(name, chance="0a1b2c3d"):
        assert chains.read_slug(slug, field="slug") == slug


def test_accents_and_ligatures_fold_into_web_names() -> None:
    (first, *_) = chains.slugs_of("L’Œil & la Mèche — Été", chance="00000000")
    assert first == "l-oeil-la-meche-ete"


@pytest.mark.parametrize("slug", ["", "a", "-ab", "ab-", "a_b", "a b", "é", "m", "admin", "V2"])
def test_web_names_that_would_not_do(slug: str) -> None:
    with pytest.raises(errors.SlugInvalid):
        chains.read_slug(slug, field="slug")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    folded = texts.fold(text)
    assert texts.fold(folded) == folded


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Hélène O’Neil-Roy", "helene o neil roy"),
        ("ŒUVRE", "oeuvre"),
        ("Straße", "strasse"),
        ("Łukasz", "lukasz"),
        ("  a   b ", "a b"),
    ],
)
def test_names_fold_as_people_type_them(typed: str, folded: str) -> None:
    assert texts.fold(typed) == folded


def test_a_name_is_trimmed_and_has_a_limit() -> None:
    assert texts.read_name("  Anne \u00a0 Marie ", field="name") == "Anne Marie"
    assert texts.read_name("é" * 80, field="name") == "é" * 80
    # Eighty letters, each typed as letter and accent, are eighty letters.
    assert texts.read_name("e\u0301" * 80, field="name") == "é" * 80
    for wrong in ("x" * 81, "a\nb", "a\x7fb", "a\u2028b"):
        with pytest.raises(errors.NameInvalid) as refused:
            texts.read_name(wrong, field="name")
        assert wrong not in str(refused.value)
        assert refused.value.params == {"max": "80"}


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        ("1992-02-29", True),
        ("--02-29", True),
        ("1991-02-29", False),
        ("--02-30", False),
        ("--13-01", False),
        ("1899-12-31", False),
        ("2026-03-01", True),
        ("2026-03-02", False),
        ("1992-2-9", False),
        ("29-02", False),
        ("1992-02-29T00:00", False),
        ("١٩٩٢-٠٢-٢٩", False),
    ],
)
def test_birthdays(typed: str, *, accepted: bool) -> None:
    """LS-71."""

    def read() -> str:
        return members.read_birthday(typed, field="birthday", now=NOON, time_zone="America/Toronto")

    if accepted:
        assert read() == typed
    else:
        with pytest.raises(errors.BirthdayInvalid):
            read()


def test_the_phone_says_how_she_registered() -> None:
    """LS-60, LS-85."""
    assert members.registered_by(phone="+15145550142", email="") is Channel.SMS
    assert members.registered_by(phone="", email="a@b.ca") is Channel.EMAIL
    assert members.registered_by(phone="+15145550142", email="a@b.ca") is Channel.SMS
    with pytest.raises(errors.AddressRequired):
        members.registered_by(phone="", email="")


def test_a_key_is_recognised_by_form_and_checksum() -> None:
    key = credentials.write_api_key(sandbox=True, key_id="A" * 10, secret="b" * 32)
    assert credentials.kind_of(key) is credentials.TokenKind.API_KEY
    assert credentials.api_key_hint(key) == "mk_test_AAAAAAAAAA"
    typo = key.replace("b", "c", 1)
    assert credentials.kind_of(typo) is None
    assert credentials.kind_of(key[:-1]) is None
    assert credentials.kind_of(key + "\n") is None
    live = credentials.write_api_key(sandbox=False, key_id="A" * 10, secret="b" * 32)
    assert live.startswith("mk_live_")


def test_prefixes_tell_kinds_of_tokens_apart() -> None:
    assert credentials.kind_of("mm_x") is credentials.TokenKind.MEMBER
    assert credentials.kind_of("ms_x") is credentials.TokenKind.STAFF
    assert credentials.kind_of("mt_x") is credentials.TokenKind.TABLET
    for none in ("", "mm", "x_y", "MM_x", "mm_" + "x" * 200):
        assert credentials.kind_of(none) in (None, credentials.TokenKind.MEMBER)
    assert credentials.kind_of("mm_" + "x" * 200) is None


def test_a_staff_session_ends_by_idleness_or_by_age() -> None:
    assert credentials.staff_session_end(created_at=NOON, seen_at=NOON) == NOON + timedelta(
        hours=12
    )
    late = NOON + timedelta(days=6, hours=20)
    assert credentials.staff_session_end(created_at=NOON, seen_at=late) == NOON + timedelta(days=7)


def test_the_last_owner_may_not_leave() -> None:
    one, two = StaffId(uuid4()), StaffId(uuid4())
    with pytest.raises(errors.LastOwner):
        staff.check_may_leave(one, active_owners=[one])
    staff.check_may_leave(one, active_owners=[one, two])
    staff.check_may_leave(one, active_owners=[two])


def _challenge(code: str, *, member: MemberId | None, key: bytes) -> codes.Challenge:
    challenge_id = ChallengeId(UUID(int=7))
    return codes.Challenge(
        id=challenge_id,
        member_id=member,
        channel=Channel.SMS,
        address="+15145550142",
        code_digest=codes.code_digest(code, challenge_id=challenge_id, key=key),
        expires_at=NOON,
    )


@pytest.mark.parametrize("typed", ["123456", " 123 456 ", "123456\n"])
def test_the_right_code_is_right(typed: str) -> None:
    challenge = _challenge("123456", member=MemberId(uuid4()), key=b"k")
    assert codes.is_right(typed, challenge, key=b"k")
    assert not codes.is_right(typed, challenge, key=b"other")


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "١٢٣٤٥٦", "12345a", "wrong!"])
def test_what_is_not_six_digits_is_wrong(typed: str) -> None:
    key = b"k"
    assert not codes.is_right(
        typed, _challenge("123456", member=MemberId(uuid4()), key=key), key=key
    )


def test_no_code_is_right_for_nobody() -> None:
    """D34: a challenge for an unknown address can never succeed."""
    challenge = _challenge("123456", member=None, key=b"k")
    assert not codes.is_right("123456", challenge, key=b"k")


def test_codes_keep_their_zeros() -> None:
    assert codes.write_code(42) == "000042"


def test_addresses_are_masked() -> None:
    assert codes.mask("+15145550142", channel=Channel.SMS) == "•••• 0142"
    assert codes.mask("alice@example.com", channel=Channel.EMAIL) == "a•••@example.com"


@pytest.mark.parametrize(
    ("query", "digits"),
    [
        ("0142", "0142"),
        ("514 555-0142", "5145550142"),
        ("+1 (514) 555.0142", "15145550142"),
        ("7", ""),
        ("12 rue", ""),
        ("--", ""),
    ],
)
def test_what_looks_like_a_phone_is_looked_for_as_one(query: str, digits: str) -> None:
    """SQ-74."""
    assert search.read_question(query).phone_digits == digits


def test_zones_know_their_country() -> None:
    assert addresses.region_of("America/Toronto") == "CA"
    assert addresses.region_of("America/Montreal") == "CA"
    assert addresses.region_of("Europe/Paris") == "FR"
    assert addresses.region_of("UTC") == "CA"


@pytest.mark.parametrize("zone", ["America/Toronto", "Europe/Paris", "UTC"])
def test_iana_zones_are_zones(zone: str) -> None:
    assert addresses.read_time_zone(zone, field="time_zone") == zone


@pytest.mark.parametrize("zone", ["", "Toronto", "/etc/passwd", "../UTC", "localtime", "Factory"])
def test_files_and_fancies_are_no_zones(zone: str) -> None:
    with pytest.raises(errors.TimeZoneInvalid):
        addresses.read_time_zone(zone, field="time_zone")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_phone_is_read_or_refused(text: str) -> None:
    try:
        read = addresses.read_phone(text, region="CA", field="phone")
    except errors.PhoneInvalid:
        return
    assert read == "" or addresses.read_phone(read, region="FR", field="phone") == read


@settings(deadline=None)
@given(st.text(max_size=60) | st.emails())
def test_an_e_mail_address_is_read_or_refused(text: str) -> None:
    try:
        read = addresses.read_email(text, field="email")
    except errors.EmailInvalid:
        return
    assert read == "" or addresses.read_email(read, field="email") == read
