"""Members: who joins, by which door, and what may be changed about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.clock import FixedClock
from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import House, key, new_email, new_phone, refusal

BOB = types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="bob")
SMS = types_pb2.CHANNEL_SMS
EMAIL = types_pb2.CHANNEL_EMAIL
# A number that no enumeration has.
ANY_NUMBER: Any = 9


async def test_alice_joins_by_phone_and_is_signed_in_at_once(house: House) -> None:
    """LS-85, D34: phone only → registered by phone; she may earn before any code is asked."""
    made = await house.chain()
    phone = new_phone()
    typed = f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"
    joined = await house.enroll(
        made.chain.id,
        phone=typed,
        given_name="  Alice ",
        family_name="Tremblay  Roy",
        start_session=True,
    )
    assert joined.created
    member = joined.member
    assert (member.phone, member.email) == (phone, "")
    assert (member.given_name, member.family_name) == ("Alice", "Tremblay Roy")
    assert member.registered_by == SMS
    assert (member.phone_verified, member.version) == (False, 1)
    assert member.language == types_pb2.LANGUAGE_FR
    principal = await house.who(joined.session_token)
    assert principal.actor == types_pb2.Actor(kind=types_pb2.Actor.KIND_MEMBER, id=member.id)
    assert (principal.verified, principal.chain_id) == (False, made.chain.id)


async def test_e_mail_only_is_registered_by_e_mail(house: House) -> None:
    """LS-85, LS-10: the same form takes an e-mail address."""
    made = await house.chain()
    joined = await house.enroll(
        made.chain.id, email="Alice.B@EXAMPLE.com", source=types_pb2.ENROLLMENT_SOURCE_TABLET
    )
    assert joined.member.email == "Alice.B@example.com"
    assert joined.member.registered_by == EMAIL
    assert joined.member.source == types_pb2.ENROLLMENT_SOURCE_TABLET
    assert (joined.session_token, joined.HasField("session_expires_at")) == ("", False)


@pytest.mark.parametrize(
    "source",
    [
        types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
        types_pb2.ENROLLMENT_SOURCE_SMS,
        types_pb2.ENROLLMENT_SOURCE_WEB,
        types_pb2.ENROLLMENT_SOURCE_EMAIL,
        types_pb2.ENROLLMENT_SOURCE_SOCIAL,
        types_pb2.ENROLLMENT_SOURCE_TYPED,
        types_pb2.ENROLLMENT_SOURCE_TILL,
    ],
)
async def test_every_way_to_join_is_kept(house: House, source: int) -> None:
    """LS-40 to LS-45, D24, SQ-02: the source stays with the member."""
    made = await house.chain()
    joined = await house.enroll(made.chain.id, source=source, salon_id=made.salon.id)
    got = await house.call.GetMember(
        pb.GetMemberRequest(chain_id=made.chain.id, member_id=joined.member.id)
    )
    assert (got.member.source, got.member.salon_id) == (source, made.salon.id)


async def test_her_number_a_second_time_answers_her_and_gives_nothing_away(house: House) -> None:
    """D34: whoever types her number gets no session and changes nothing of hers."""
    made = await house.chain()
    phone = new_phone()
    first = await house.enroll(made.chain.id, phone=phone, given_name="Alice")
    again = await house.enroll(
        made.chain.id,
        phone=phone,
        email=new_email("mallory"),
        given_name="Mallory",
        birthday="1990-01-01",
        start_session=True,
        consents=[pb.ConsentGrant(channel=SMS, wording_version="v1")],
    )
    assert (again.created, again.member) == (False, first.member)
    assert (again.session_token, again.HasField("session_expires_at")) == ("", False)
    assert len(await house.events(made.chain.id, "contact.changed", "member.enrolled")) == 2
    sessions = await house.pool.fetchval(
        "SELECT count(*) FROM member_session WHERE chain_id = $1", made.chain.id
    )
    assert sessions == 0


async def test_her_e_mail_finds_her_whatever_its_case(house: House) -> None:
    made = await house.chain()
    email = new_email()
    first = await house.enroll(made.chain.id, email=email)
    again = await house.enroll(made.chain.id, phone=new_phone(), email=email.upper())
    assert (again.created, again.member.id) == (False, first.member.id)


async def test_staff_may_ask_that_a_taken_number_is_refused(house: House) -> None:
    made = await house.chain()
    phone, email = new_phone(), new_email()
    await house.enroll(made.chain.id, phone=phone)
    await house.enroll(made.chain.id, email=email)
    for fields, field in (({"phone": phone}, "phone"), ({"email": email}, "email")):
        refused = await refusal(house.enroll(made.chain.id, refuse_existing=True, **fields))
        assert (refused.code, refused.field, refused.status) == (
            "member_exists",
            field,
            grpc.StatusCode.ALREADY_EXISTS,
        )


async def test_a_resent_enrolment_gets_the_first_answer_with_its_session(house: House) -> None:
    made = await house.chain()
    fields = {
        "idempotency_key": key(),
        "phone": new_phone(),
        "start_session": True,
    }
    first = await house.enroll(made.chain.id, **fields)
    again = await house.enroll(made.chain.id, **fields)
    assert again == first
    assert (again.created, bool(again.session_token)) == (True, True)
    fields["phone"] = new_phone()
    assert (await refusal(house.enroll(made.chain.id, **fields))).code == "IDEMPOTENCY_KEY_REUSED"


async def test_the_same_number_is_another_member_in_another_chain(
    house: House, neighbours: Neighbours
) -> None:
    phone = new_phone()
    alice = await house.enroll(neighbours.a.chain.id, phone=phone)
    charlie = await house.enroll(neighbours.b.chain.id, phone=phone)
    assert charlie.created
    assert charlie.member.id != alice.member.id


async def test_a_number_is_read_in_the_country_of_the_chain(house: House) -> None:
    france = await house.chain(home_time_zone="Europe/Paris", currency="EUR")
    joined = await house.enroll(france.chain.id, phone="06 12 34 56 78")
    assert joined.member.phone == "+33612345678"
    abroad = await house.enroll(france.chain.id, phone="+1 514 555-0142")
    assert abroad.member.phone == "+15145550142"


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"phone": "555-0142"}, "phone_invalid", "phone"),
        ({"phone": "911"}, "phone_invalid", "phone"),
        ({"phone": "514-555-0142 ext 3"}, "phone_invalid", "phone"),
        ({"phone": "1-800-FLOWERS"}, "phone_invalid", "phone"),
        ({"phone": "+" + "1" * 100_000}, "phone_invalid", "phone"),
        ({"phone": "💇"}, "phone_invalid", "phone"),
        ({"email": "alice"}, "email_invalid", "email"),
        ({"email": "alice@localhost"}, "email_invalid", "email"),
        ({"email": "a@b.ca\r\nBcc: all@b.ca"}, "email_invalid", "email"),
        ({"email": "a" * 250 + "@b.ca"}, "email_invalid", "email"),
        ({"phone": "", "email": " "}, "address_required", "phone"),
        ({"given_name": "x" * 81}, "name_invalid", "given_name"),
        ({"family_name": "a\x00b"}, "name_invalid", "family_name"),
        ({"family_name": "a\u202eb"}, "name_invalid", "family_name"),
        ({"birthday": "1990-02-30"}, "birthday_invalid", "birthday"),
        ({"birthday": "02-03"}, "birthday_invalid", "birthday"),
        ({"birthday": "3000-01-01"}, "birthday_invalid", "birthday"),
        ({"birthday": "0001-01-01"}, "birthday_invalid", "birthday"),
        ({"source": 0}, "source_invalid", "source"),
        ({"source": 99}, "source_invalid", "source"),
        ({"language": 7}, "language_invalid", "language"),
        ({"salon_id": "elsewhere"}, "not_found", "salon_id"),
        ({"note": "x" * 1_001}, "text_invalid", "note"),
        ({"reference_id": "x" * 101}, "text_invalid", "reference_id"),
        ({"enrolled_at": Timestamp(seconds=4_102_444_800)}, "enrolled_at_invalid", "enrolled_at"),
        ({"enrolled_at": Timestamp(seconds=2**60)}, "enrolled_at_invalid", "enrolled_at"),
        ({"enrolled_at": Timestamp(seconds=-(2**40))}, "enrolled_at_invalid", "enrolled_at"),
        ({"consents": [pb.ConsentGrant(channel=SMS)]}, "consent_invalid", "consents"),
        (
            {"consents": [pb.ConsentGrant(channel=ANY_NUMBER, wording_version="v1")]},
            "consent_invalid",
            "consents",
        ),
        (
            {"actor": types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="Bob Tremblay")},
            "actor_invalid",
            "actor",
        ),
    ],
)
async def test_a_wrong_field_enrols_nobody(
    house: House, fields: dict[str, object], code: str, field: str
) -> None:
    made = await house.chain()
    refused = await refusal(house.enroll(made.chain.id, **fields))
    assert (refused.code, refused.field) == (code, field)
    count = await house.pool.fetchval(
        "SELECT count(*) FROM member WHERE chain_id = $1", made.chain.id
    )
    assert count == 0


@pytest.mark.parametrize("birthday", ["", "1992-02-29", "--02-29", "--12-31", "1900-01-01"])
async def test_a_birthday_is_optional_and_may_be_the_29th_of_february(
    house: House, birthday: str
) -> None:
    """LS-71, LS-85."""
    made = await house.chain()
    joined = await house.enroll(made.chain.id, birthday=birthday)
    assert joined.member.birthday == birthday


async def test_a_birthday_may_be_today_where_the_chain_is_at_home(
    timed: House, clock: FixedClock
) -> None:
    """LS-71, D38: at 02:00 UTC it is still the evening before in Toronto."""
    clock.set(datetime(2026, 6, 2, 2, 0, tzinfo=UTC))
    made = await timed.chain(home_time_zone="America/Toronto")
    await timed.enroll(made.chain.id, birthday="2026-06-01")
    refused = await refusal(timed.enroll(made.chain.id, birthday="2026-06-02"))
    assert refused.code == "birthday_invalid"


async def test_a_migrated_member_keeps_her_day_of_enrolment(house: House) -> None:
    made = await house.chain()
    day = Timestamp()
    day.FromDatetime(datetime(2019, 3, 1, tzinfo=UTC))
    joined = await house.enroll(
        made.chain.id, enrolled_at=day, source=types_pb2.ENROLLMENT_SOURCE_IMPORT
    )
    assert joined.member.enrolled_at == day
    assert joined.member.created_at.seconds > day.seconds


async def test_members_enrol_in_the_business_time_of_a_sandbox_chain(
    timed: House, clock: FixedClock
) -> None:
    made = await timed.chain(sandbox=True)
    timed.business.put_offset(made.chain.id, timedelta(days=400))
    joined = await timed.enroll(made.chain.id, start_session=True)
    assert joined.member.enrolled_at.ToDatetime(UTC) == clock.now() + timedelta(days=400)
    # Sessions follow real time, or a jump of the sandbox's clock would sign everybody out.
    assert joined.session_expires_at.ToDatetime(UTC) == clock.now() + timedelta(days=400)
    await timed.who(joined.session_token)


async def test_she_stays_signed_in_for_400_days_from_her_last_visit(
    timed: House, clock: FixedClock
) -> None:
    """D34: she stays signed in on that phone."""
    made = await timed.chain()
    token = (await timed.enroll(made.chain.id, start_session=True)).session_token
    clock.advance(timedelta(days=399))
    await timed.who(token)
    clock.advance(timedelta(days=399))
    await timed.who(token)
    clock.advance(timedelta(days=400, seconds=1))
    assert (await refusal(timed.who(token))).code == "unauthenticated"


async def test_a_visit_is_written_down_at_most_once_a_day(timed: House, clock: FixedClock) -> None:
    made = await timed.chain()
    token = (await timed.enroll(made.chain.id, start_session=True)).session_token

    async def seen() -> object:
        return await timed.pool.fetchval(
            "SELECT last_seen_at FROM member_session WHERE chain_id = $1", made.chain.id
        )

    at_first = await seen()
    clock.advance(timedelta(hours=23))
    await timed.who(token)
    assert await seen() == at_first
    clock.advance(timedelta(hours=2))
    await timed.who(token)
    assert await seen() == clock.now()


async def test_a_new_phone_finds_her_and_the_old_one_does_not(house: House) -> None:
    """SQ-11."""
    made = await house.chain()
    old, new = new_phone(), new_phone()
    alice = (await house.enroll(made.chain.id, phone=old)).member
    changed = await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=alice.id, phone=new, actor=BOB)
    )
    assert (changed.member.phone, changed.member.version) == (new, 2)
    assert changed.member.phone_verified is False
    by_new = await house.call.FindMembers(
        pb.FindMembersRequest(chain_id=made.chain.id, phones=[new])
    )
    by_old = await house.call.FindMembers(
        pb.FindMembersRequest(chain_id=made.chain.id, phones=[old])
    )
    assert [it.id for it in by_new.members] == [alice.id]
    assert not by_old.members
    assert ("member.phone_changed", "staff:bob", alice.id) in await house.audit(made.chain.id)
    # The old number is free for somebody else.
    assert (await house.enroll(made.chain.id, phone=old)).created


async def test_another_members_phone_or_address_is_refused(house: House) -> None:
    """SQ-11: the number of another account → refused, so that a merge can be offered."""
    made = await house.chain()
    phone, email = new_phone(), new_email()
    await house.enroll(made.chain.id, phone=phone, email=email)
    alice = (await house.enroll(made.chain.id)).member
    taken: list[tuple[dict[str, Any], str]] = [
        ({"phone": phone}, "phone"),
        ({"email": email.upper()}, "email"),
    ]
    for fields, field in taken:
        refused = await refusal(
            house.call.UpdateMember(
                pb.UpdateMemberRequest(
                    chain_id=made.chain.id, member_id=alice.id, actor=BOB, **fields
                )
            )
        )
        assert (refused.code, refused.field) == ("member_exists", field)
    got = await house.call.GetMember(
        pb.GetMemberRequest(chain_id=made.chain.id, member_id=alice.id)
    )
    assert got.member == alice


async def test_only_what_is_given_changes_and_nothing_changes_twice(house: House) -> None:
    made = await house.chain()
    alice = (
        await house.enroll(made.chain.id, given_name="Alice", birthday="--02-29", note="fidèle")
    ).member
    request = pb.UpdateMemberRequest(
        chain_id=made.chain.id,
        member_id=alice.id,
        given_name="Alix",
        birthday="",
        language=types_pb2.LANGUAGE_EN,
        email=new_email(),
        reference_id="till-17",
        actor=BOB,
    )
    changed = (await house.call.UpdateMember(request)).member
    assert (changed.given_name, changed.birthday, changed.note) == ("Alix", "", "fidèle")
    assert (changed.language, changed.reference_id) == (types_pb2.LANGUAGE_EN, "till-17")
    assert changed.phone == alice.phone
    assert changed.registered_by == SMS
    told = await house.events(made.chain.id, "contact.changed")
    assert (await house.call.UpdateMember(request)).member == changed
    assert len(await house.events(made.chain.id, "contact.changed")) == len(told) == 2


async def test_her_last_address_cannot_be_taken_away(house: House) -> None:
    made = await house.chain()
    alice = (await house.enroll(made.chain.id)).member
    refused = await refusal(
        house.call.UpdateMember(
            pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=alice.id, phone="")
        )
    )
    assert (refused.code, refused.field) == ("address_required", "phone")


async def test_members_are_found_by_exact_phones_addresses_and_ids(house: House) -> None:
    made = await house.chain()
    email = new_email()
    first = (await house.enroll(made.chain.id)).member
    second = (await house.enroll(made.chain.id, email=email)).member
    third = (await house.enroll(made.chain.id)).member
    national = first.phone[2:]
    found = await house.call.FindMembers(
        pb.FindMembersRequest(
            chain_id=made.chain.id,
            phones=[national, "nonsense", new_phone(), first.phone],
            emails=[email.upper(), "nonsense"],
            member_ids=[third.id, "nonsense", key(), third.id],
        )
    )
    assert [it.id for it in found.members] == [first.id, second.id, third.id]
    nobody = await house.call.FindMembers(pb.FindMembersRequest(chain_id=made.chain.id))
    assert not nobody.members
    refused = await refusal(
        house.call.FindMembers(pb.FindMembersRequest(chain_id=made.chain.id, phones=["x"] * 201))
    )
    assert refused.code == "query_invalid"


async def test_a_merged_member_is_answered_by_the_living_one(house: House) -> None:
    """Her old number and her old id still find her, and enrol nobody a second time."""
    made = await house.chain()
    old = (await house.enroll(made.chain.id, start_session=True)).member
    living = (await house.enroll(made.chain.id)).member
    session = (await house.enroll(made.chain.id, start_session=True)).session_token
    await house.pool.execute(
        "UPDATE member SET merged_into = $3 WHERE chain_id = $1 AND id = $2",
        made.chain.id,
        old.id,
        living.id,
    )
    got = await house.call.GetMember(pb.GetMemberRequest(chain_id=made.chain.id, member_id=old.id))
    found = await house.call.FindMembers(
        pb.FindMembersRequest(chain_id=made.chain.id, phones=[old.phone], member_ids=[old.id])
    )
    again = await house.enroll(made.chain.id, phone=old.phone)
    assert got.member.id == living.id
    assert [it.id for it in found.members] == [living.id]
    assert (again.created, again.member.id) == (False, living.id)
    updated = await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=old.id, note="une seule")
    )
    assert updated.member.id == living.id
    assert (await house.who(session)).actor.id not in (old.id, living.id)


async def test_members_are_found_by_their_ids_alone(house: House, neighbours: Neighbours) -> None:
    """Oldest first; a merged one as the living one, once; an unknown or erased one not at all."""
    chain_id = neighbours.a.chain.id
    first, second, old, gone = [(await house.enroll(chain_id)).member for _ in range(4)]
    stranger = (await house.enroll(neighbours.b.chain.id)).member

    async def found(*ids: str) -> list[str]:
        request = pb.FindMembersRequest(chain_id=chain_id, member_ids=ids)
        return [it.id for it in (await house.call.FindMembers(request)).members]

    assert await found(second.id, first.id, second.id) == [first.id, second.id]
    await house.pool.execute("UPDATE member SET merged_into = $2 WHERE id = $1", old.id, second.id)
    await house.pool.execute("UPDATE member SET erased_at = now() WHERE id = $1", gone.id)
    assert await found(old.id) == [second.id]
    assert await found(old.id, second.id) == [second.id]
    assert await found(gone.id, first.id, stranger.id, key()) == [first.id]
    assert await found(gone.id) == []


async def test_charlie_never_sees_or_changes_alice(house: House, neighbours: Neighbours) -> None:
    a, b = neighbours.a.chain.id, neighbours.b.chain.id
    alice = (await house.enroll(a, email=new_email(), phone=new_phone())).member
    for call in (
        house.call.GetMember(pb.GetMemberRequest(chain_id=b, member_id=alice.id)),
        house.call.UpdateMember(
            pb.UpdateMemberRequest(chain_id=b, member_id=alice.id, given_name="Prise")
        ),
        house.enroll(b, salon_id=neighbours.a.salon.id),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.status) == ("not_found", grpc.StatusCode.NOT_FOUND)
    found = await house.call.FindMembers(
        pb.FindMembersRequest(
            chain_id=b, phones=[alice.phone], emails=[alice.email], member_ids=[alice.id]
        )
    )
    searched = await house.call.SearchMembers(
        pb.SearchMembersRequest(chain_id=b, query=alice.phone)
    )
    assert (len(found.members), len(searched.members), searched.total) == (0, 0, 0)
