"""What the others learn, and what they must not."""

from __future__ import annotations

from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from tests.enrollment.house import (
    CONTACT,
    ENROLLMENT_TOPIC,
    House,
    new_email,
    new_phone,
)

SMS = types_pb2.CHANNEL_SMS
EMAIL = types_pb2.CHANNEL_EMAIL


async def test_a_new_chain_is_told_whole_with_its_salon(house: House) -> None:
    made = await house.chain(sandbox=True, plan=types_pb2.PLAN_PRO)
    chain, salon = await house.events(made.chain.id)
    assert (chain.type, chain.topic, chain.key) == (
        "chain.changed",
        ENROLLMENT_TOPIC,
        made.chain.id,
    )
    told = chain.payload
    assert (told.slug, told.name, told.plan, told.sandbox, told.home_time_zone, told.currency) == (
        made.chain.slug,
        made.chain.name,
        types_pb2.PLAN_PRO,
        True,
        "America/Toronto",
        "CAD",
    )
    assert (told.language, told.version) == (types_pb2.LANGUAGE_FR, 1)
    assert (salon.type, salon.topic, salon.key) == (
        "salon.changed",
        ENROLLMENT_TOPIC,
        made.chain.id,
    )
    assert (salon.payload.salon_id, salon.payload.active) == (made.salon.id, True)


async def test_an_enrolment_tells_who_by_id_alone_and_how_on_the_contact_topic(
    house: House,
) -> None:
    """LS-85, D36: the welcome follows from enrolled_now; ticks travel as first grants."""
    made = await house.chain()
    phone, email = new_phone(), new_email()
    joined = await house.enroll(
        made.chain.id,
        phone=phone,
        email=email,
        given_name="Alice",
        family_name="Unmistakable",
        birthday="1992-02-29",
        salon_id=made.salon.id,
        language=types_pb2.LANGUAGE_EN,
        consents=[
            pb.ConsentGrant(channel=SMS, wording_version="join-2"),
            pb.ConsentGrant(channel=SMS, wording_version="join-1"),
            pb.ConsentGrant(channel=EMAIL, wording_version="join-2"),
        ],
    )
    enrolled, contact = await house.events(made.chain.id, "member.enrolled", "contact.changed")
    member = joined.member
    assert (enrolled.type, enrolled.topic, enrolled.key) == (
        "member.enrolled",
        ENROLLMENT_TOPIC,
        member.id,
    )
    assert (enrolled.payload.member_id, enrolled.payload.salon_id) == (member.id, made.salon.id)
    assert enrolled.payload.source == types_pb2.ENROLLMENT_SOURCE_JOIN_QR
    assert enrolled.payload.registered_by == SMS
    assert enrolled.payload.enrolled_at == member.enrolled_at

    assert (contact.type, contact.topic, contact.key) == ("contact.changed", CONTACT, member.id)
    told = contact.payload
    assert (told.phone, told.email, told.given_name, told.birthday) == (
        phone,
        email,
        "Alice",
        "1992-02-29",
    )
    assert (told.enrolled_now, told.version, told.language) == (
        True,
        1,
        types_pb2.LANGUAGE_EN,
    )
    assert told.source == types_pb2.ENROLLMENT_SOURCE_JOIN_QR
    assert [(it.channel, it.wording_version) for it in told.first_grants] == [
        (SMS, "join-2"),
        (EMAIL, "join-2"),
    ]
    assert all(it.HasField("granted_at") for it in told.first_grants)


async def test_nothing_ticked_grants_nothing_and_a_tick_needs_its_address(house: House) -> None:
    """LS-85, D36."""
    made = await house.chain()
    await house.enroll(made.chain.id)
    await house.enroll(
        made.chain.id,
        email=new_email(),
        consents=[
            pb.ConsentGrant(channel=SMS, wording_version="v1"),
            pb.ConsentGrant(channel=EMAIL, wording_version="v1"),
        ],
    )
    unticked, by_email = await house.events(made.chain.id, "contact.changed")
    assert not unticked.payload.first_grants
    assert [it.channel for it in by_email.payload.first_grants] == [EMAIL]


async def test_a_change_repeats_the_whole_contact_and_grants_nothing(house: House) -> None:
    made = await house.chain()
    alice = (
        await house.enroll(
            made.chain.id,
            given_name="Alice",
            consents=[pb.ConsentGrant(channel=SMS, wording_version="v1")],
        )
    ).member
    email = new_email()
    await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=alice.id, email=email)
    )
    told = (await house.events(made.chain.id, "contact.changed"))[-1].payload
    assert (told.phone, told.email, told.given_name, told.version) == (
        alice.phone,
        email,
        "Alice",
        2,
    )
    assert (told.enrolled_now, len(told.first_grants)) == (False, 0)


async def test_a_code_travels_sealed_on_the_contact_topic(house: House) -> None:
    """D34: in her language unless the page says another."""
    made = await house.chain()
    phone = new_phone()
    await house.enroll(made.chain.id, phone=phone, language=types_pb2.LANGUAGE_EN)
    asked = await house.call.RequestCode(pb.RequestCodeRequest(chain_id=made.chain.id, phone=phone))
    (event,) = await house.events(made.chain.id, "code.requested")
    assert (event.topic, event.key) == (CONTACT, made.chain.id)
    told = event.payload
    assert (told.challenge_id, told.address, told.channel) == (asked.challenge_id, phone, SMS)
    assert (told.language, told.expires_at) == (types_pb2.LANGUAGE_EN, asked.expires_at)


async def test_the_enrollment_topic_and_the_audit_trail_carry_no_personal_data(
    house: House,
) -> None:
    """Canaries through every flow; none may come out where it does not belong."""
    phone, other = new_phone(), new_phone()
    email = new_email("canary")
    made = await house.chain("Chez Canari", owner_name="Canaryowner")
    member = (
        await house.enroll(
            made.chain.id,
            phone=phone,
            email=email,
            given_name="Canarygiven",
            family_name="Canaryfamily",
            birthday="1971-07-17",
            note="canarynote",
            reference_id="canaryref",
        )
    ).member
    await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=member.id, phone=other)
    )
    await house.call.RequestCode(pb.RequestCodeRequest(chain_id=made.chain.id, phone=other))
    canaries = [
        text.encode()
        for text in (
            phone,
            phone[2:],
            other,
            email,
            "Canarygiven",
            "Canaryfamily",
            "Canaryowner",
            "1971-07-17",
            "canarynote",
            "canaryref",
            made.owner.email,
        )
    ]
    published = b"".join(
        event.raw for event in await house.events(made.chain.id) if event.topic == ENROLLMENT_TOPIC
    )
    assert member.id.encode() in published
    outbox = await house.pool.fetch(
        "SELECT key, subject FROM outbox WHERE chain_id = $1", made.chain.id
    )
    audit = await house.pool.fetch(
        "SELECT actor_id, subject_id, detail FROM audit_entry WHERE chain_id = $1", made.chain.id
    )
    answers = await house.pool.fetch(
        "SELECT key, answer FROM idempotency WHERE chain_id = $1", made.chain.id
    )
    beside = repr([tuple(row) for row in [*outbox, *audit, *answers]]).encode()
    for canary in canaries:
        assert canary not in published
        assert canary not in beside
