"""One-time codes: on her own device a member proves that an address is hers (D34)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.clock import FixedClock, SystemClock
from services.chassis.runner import open_redis
from services.enrollment.usecases import codes as usecase
from services.enrollment.usecases.housekeeping import forget_the_dead
from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import House, key, new_email, new_phone, refusal


async def _ask(house: House, chain_id: str, **address: Any) -> pb.RequestCodeResponse:
    return await house.call.RequestCode(pb.RequestCodeRequest(chain_id=chain_id, **address))


async def _try(
    house: House, chain_id: str, challenge_id: str, code: str, session_token: str = ""
) -> pb.VerifyCodeResponse:
    return await house.call.VerifyCode(
        pb.VerifyCodeRequest(
            chain_id=chain_id,
            challenge_id=challenge_id,
            code=code,
            session_token=session_token,
        )
    )


def _wrong(code: str) -> str:
    return str((int(code) + 1) % 1_000_000).zfill(6)


async def test_the_right_code_opens_a_verified_session_on_a_new_device(house: House) -> None:
    """D34."""
    made = await house.chain()
    phone = new_phone()
    alice = (await house.enroll(made.chain.id, phone=phone)).member
    asked = await _ask(house, made.chain.id, phone=phone)
    assert asked.channel == types_pb2.CHANNEL_SMS
    assert asked.masked_address == f"•••• {phone[-4:]}"
    code = await house.code(made.chain.id, asked.challenge_id)
    assert len(code) == 6
    assert code.isdigit()
    opened = await _try(house, made.chain.id, asked.challenge_id, f" {code[:3]} {code[3:]} ")
    assert opened.member.id == alice.id
    assert (opened.member.phone_verified, opened.member.version) == (True, 2)
    principal = await house.who(opened.session_token)
    assert (principal.verified, principal.actor.id) == (True, alice.id)
    told = (await house.events(made.chain.id, "contact.changed"))[-1].payload
    assert (told.phone_verified, told.version, told.enrolled_now) == (True, 2, False)


async def test_the_session_of_her_enrolment_becomes_verified(house: House) -> None:
    """D34: asked before her first take, on the phone where she joined."""
    made = await house.chain()
    email = new_email()
    joined = await house.enroll(made.chain.id, email=email, start_session=True)
    asked = await _ask(house, made.chain.id, email=email.upper())
    assert asked.masked_address == "A•••@example.com"
    code = await house.code(made.chain.id, asked.challenge_id)
    opened = await _try(house, made.chain.id, asked.challenge_id, code, joined.session_token)
    assert opened.session_token == joined.session_token
    assert (await house.who(joined.session_token)).verified is True
    assert (opened.member.email_verified, opened.member.phone_verified) == (True, False)


async def test_who_enrolled_with_her_number_loses_that_session_when_she_proves_it(
    house: House,
) -> None:
    """D34: a number alone is not proof."""
    made = await house.chain()
    phone = new_phone()
    mallory = await house.enroll(made.chain.id, phone=phone, start_session=True)
    first = await _ask(house, made.chain.id, phone=phone)
    code = await house.code(made.chain.id, first.challenge_id)
    alice = await _try(house, made.chain.id, first.challenge_id, code)
    assert alice.session_token != mallory.session_token
    assert (await refusal(house.who(mallory.session_token))).code == "session_superseded"
    assert (await house.who(alice.session_token)).verified


async def test_only_a_session_that_lost_to_a_proof_is_told_why(house: House) -> None:
    """D34: who signed out herself, and a session nobody knows, hear what all hear."""
    made = await house.chain()
    joined = await house.enroll(made.chain.id, phone=new_phone(), start_session=True)
    await house.call.SignOut(pb.SignOutRequest(token=joined.session_token))
    for token in (joined.session_token, joined.session_token[:-4] + "aaaa"):
        assert (await refusal(house.who(token))).code == "unauthenticated"


async def test_a_session_of_somebody_else_is_not_verified(
    house: House, neighbours: Neighbours
) -> None:
    a = neighbours.a.chain.id
    phone = new_phone()
    await house.enroll(a, phone=phone)
    for other in (
        (await house.enroll(a, start_session=True)).session_token,
        (await house.enroll(neighbours.b.chain.id, start_session=True)).session_token,
    ):
        await house.pool.execute("UPDATE code_challenge SET used_at = now() WHERE chain_id = $1", a)
        await _forget_limits(house, a)
        asked = await _ask(house, a, phone=phone)
        code = await house.code(a, asked.challenge_id)
        opened = await _try(house, a, asked.challenge_id, code, other)
        assert opened.session_token != other
        assert (await house.who(other)).verified is False


async def _forget_limits(house: House, chain_id: str) -> None:
    names = [name async for name in house.redis.scan_iter(f"limit:code:*{chain_id}*")]
    if names:
        await house.redis.delete(*names)


async def test_wrong_expired_used_and_unknown_codes_are_refused_alike(
    timed: House, clock: FixedClock
) -> None:
    """D34: ten minutes of real time, single use."""
    made = await timed.chain(sandbox=True)
    phone = new_phone()
    await timed.enroll(made.chain.id, phone=phone)
    asked = await _ask(timed, made.chain.id, phone=phone)
    code = await timed.code(made.chain.id, asked.challenge_id)
    # The sandbox's own time does not age a code.
    timed.business.put_offset(made.chain.id, timedelta(days=30))
    refused = [
        await refusal(_try(timed, made.chain.id, asked.challenge_id, _wrong(code))),
        await refusal(_try(timed, made.chain.id, key(), code)),
        await refusal(_try(timed, made.chain.id, "nonsense", code)),
        await refusal(_try(timed, key(), asked.challenge_id, code)),
        await refusal(_try(timed, made.chain.id, asked.challenge_id, "１２３４５６")),
        await refusal(_try(timed, made.chain.id, asked.challenge_id, "x" * 100_000)),
    ]
    clock.advance(timedelta(minutes=10, seconds=1))
    refused.append(await refusal(_try(timed, made.chain.id, asked.challenge_id, code)))
    clock.advance(-timedelta(seconds=2))
    await _try(timed, made.chain.id, asked.challenge_id, code)
    refused.append(await refusal(_try(timed, made.chain.id, asked.challenge_id, code)))
    assert {(it.code, it.field, it.status) for it in refused} == {
        ("code_wrong", "code", grpc.StatusCode.INVALID_ARGUMENT)
    }


async def test_after_five_wrong_tries_the_right_code_is_worth_nothing(house: House) -> None:
    """D34: at most five tries a code."""
    made = await house.chain()
    phone = new_phone()
    await house.enroll(made.chain.id, phone=phone)
    asked = await _ask(house, made.chain.id, phone=phone)
    code = await house.code(made.chain.id, asked.challenge_id)
    for _ in range(5):
        await refusal(_try(house, made.chain.id, asked.challenge_id, _wrong(code)))
    refused = await refusal(_try(house, made.chain.id, asked.challenge_id, code))
    assert refused.code == "code_wrong"
    tries = await house.pool.fetchval(
        "SELECT tries FROM code_challenge WHERE chain_id = $1", made.chain.id
    )
    assert tries == 5


async def test_an_unknown_address_gets_the_same_answer_and_no_message(house: House) -> None:
    """D34: nobody learns here who is a member."""
    made = await house.chain()
    known, unknown = new_phone(), new_phone()
    await house.enroll(made.chain.id, phone=known)
    answers = [await _ask(house, made.chain.id, phone=phone) for phone in (known, unknown)]
    shapes = [
        {field.name for field, _ in answer.ListFields()} | {len(answer.masked_address)}
        for answer in answers
    ]
    assert shapes[0] == shapes[1]
    sent = await house.events(made.chain.id, "code.requested")
    assert [event.payload.challenge_id for event in sent] == [answers[0].challenge_id]
    kept = await house.pool.fetch(
        "SELECT address, member_id FROM code_challenge WHERE chain_id = $1 ORDER BY address",
        made.chain.id,
    )
    assert [(row["address"], row["member_id"] is None) for row in kept] == [
        ("", True),
        (known, False),
    ]
    for number in range(5):
        refused = await refusal(
            _try(house, made.chain.id, answers[1].challenge_id, str(number).zfill(6))
        )
        assert refused.code == "code_wrong"


async def test_a_code_never_rests_in_clear(house: House) -> None:
    """D34."""
    made = await house.chain()
    phone = new_phone()
    await house.enroll(made.chain.id, phone=phone)
    asked = await _ask(house, made.chain.id, phone=phone)
    code = await house.code(made.chain.id, asked.challenge_id)
    (event,) = await house.events(made.chain.id, "code.requested")
    assert code.encode() not in event.raw
    row = await house.pool.fetchrow(
        "SELECT code_digest FROM code_challenge WHERE chain_id = $1", made.chain.id
    )
    assert row is not None
    assert code.encode() not in row["code_digest"]
    assert len(row["code_digest"]) == 32


async def test_codes_are_limited_alike_for_known_and_unknown_addresses(house: House) -> None:
    made = await house.chain()
    known, unknown = new_phone(), new_phone()
    await house.enroll(made.chain.id, phone=known)
    for phone in (known, unknown):
        await _ask(house, made.chain.id, phone=phone)
        limited = await refusal(_ask(house, made.chain.id, phone=phone))
        assert (limited.code, limited.status) == (
            "RATE_LIMITED",
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
        assert 1 <= limited.retry_after_seconds <= 30


async def test_an_address_gets_five_codes_an_hour_and_a_chain_has_a_ceiling(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await house.chain()
    _, hour = usecase.ADDRESS_LIMITS
    monkeypatch.setattr(usecase, "ADDRESS_LIMITS", (hour,))
    phone = new_phone()
    for _ in range(5):
        await _ask(house, made.chain.id, phone=phone)
    limited = await refusal(_ask(house, made.chain.id, phone=phone))
    assert (limited.code, limited.retry_after_seconds <= 3600 / 5) == ("RATE_LIMITED", True)

    ceiling = replace(usecase.CHAIN_LIMIT, burst=6)
    monkeypatch.setattr(usecase, "CHAIN_LIMIT", ceiling)
    other = await house.chain()
    for _ in range(6):
        await _ask(house, other.chain.id, phone=new_phone())
    limited = await refusal(_ask(house, other.chain.id, phone=new_phone()))
    assert limited.code == "RATE_LIMITED"


async def test_old_codes_and_dead_sessions_are_forgotten_and_living_ones_kept(
    timed: House, clock: FixedClock
) -> None:
    made = await timed.chain()
    phone = new_phone()
    joined = await timed.enroll(made.chain.id, phone=phone, start_session=True)
    await timed.sign_in(made.owner.email)
    await _ask(timed, made.chain.id, phone=phone)

    async def kept() -> list[int]:
        return [
            await timed.pool.fetchval(statement, made.chain.id)
            for statement in (
                "SELECT count(*) FROM code_challenge WHERE chain_id = $1",
                "SELECT count(*) FROM staff_session WHERE chain_id = $1",
                "SELECT count(*) FROM member_session WHERE chain_id = $1",
            )
        ]

    clock.advance(timedelta(hours=23))
    await forget_the_dead(timed.deps)
    assert await kept() == [1, 1, 1]
    clock.advance(timedelta(hours=2))
    await forget_the_dead(timed.deps)
    assert await kept() == [0, 1, 1]
    clock.advance(timedelta(days=37))
    await forget_the_dead(timed.deps)
    assert await kept() == [0, 0, 1]
    await timed.who(joined.session_token)
    clock.advance(timedelta(days=431))
    await forget_the_dead(timed.deps)
    assert await kept() == [0, 0, 0]


async def test_no_codes_are_sent_while_nobody_can_count_them(house: House) -> None:
    """Without Redis there is no limit, and every text costs money: closed."""
    made = await house.chain()
    away = open_redis("redis://127.0.0.1:1/0")
    alone = House(pool=house.pool, redis=away, clock=SystemClock())
    await alone.open()
    try:
        refused = await refusal(_ask(alone, made.chain.id, phone=new_phone()))
        assert refused.code == "RATE_LIMITED"
    finally:
        await alone.close()
        await away.aclose()


async def test_a_code_to_an_address_that_she_gave_up_opens_nothing(house: House) -> None:
    """SQ-11: a changed phone is proven anew."""
    made = await house.chain()
    old, new = new_phone(), new_phone()
    alice = (await house.enroll(made.chain.id, phone=old)).member
    asked = await _ask(house, made.chain.id, phone=old)
    code = await house.code(made.chain.id, asked.challenge_id)
    await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=alice.id, phone=new)
    )
    refused = await refusal(_try(house, made.chain.id, asked.challenge_id, code))
    assert refused.code == "code_wrong"
    proven = await _ask(house, made.chain.id, phone=new)
    opened = await _try(
        house,
        made.chain.id,
        proven.challenge_id,
        await house.code(made.chain.id, proven.challenge_id),
    )
    assert opened.member.phone_verified
    changed = await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=alice.id, phone=old)
    )
    assert changed.member.phone_verified is False


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ({}, "address_required"),
        ({"phone": "12"}, "phone_invalid"),
        ({"email": "nobody"}, "email_invalid"),
    ],
)
async def test_a_code_needs_an_address(house: House, address: dict[str, str], code: str) -> None:
    made = await house.chain()
    assert (await refusal(_ask(house, made.chain.id, **address))).code == code
    assert (await refusal(_ask(house, key(), phone=new_phone()))).code == "not_found"


async def test_charlie_cannot_use_a_challenge_of_alices_chain(
    house: House, neighbours: Neighbours
) -> None:
    a, b = neighbours.a.chain.id, neighbours.b.chain.id
    phone = new_phone()
    await house.enroll(a, phone=phone)
    await house.enroll(b, phone=phone)
    asked = await _ask(house, a, phone=phone)
    code = await house.code(a, asked.challenge_id)
    assert (await refusal(_try(house, b, asked.challenge_id, code))).code == "code_wrong"
    await _try(house, a, asked.challenge_id, code)


async def test_a_member_adds_an_address_by_the_code_that_was_sent_there(house: House) -> None:
    """D34: hers and verified in one change; her session stays; messaging is told."""
    made = await house.chain()
    alice = await house.enroll(made.chain.id, phone=new_phone(), start_session=True)
    email = new_email()
    asked = await _ask(house, made.chain.id, email=email, member_id=alice.member.id)
    code = await house.code(made.chain.id, asked.challenge_id)
    refused = await refusal(
        _try(house, made.chain.id, asked.challenge_id, _wrong(code), alice.session_token)
    )
    assert refused.code == "code_wrong"

    opened = await _try(house, made.chain.id, asked.challenge_id, code, alice.session_token)

    assert (opened.member.email, opened.member.email_verified) == (email, True)
    assert opened.member.version == alice.member.version + 1
    assert opened.session_token == alice.session_token
    told = (await house.events(made.chain.id, "contact.changed"))[-1].payload
    assert (told.email, told.email_verified, told.version) == (email, True, opened.member.version)
    wanted = pb.FindMembersRequest(chain_id=made.chain.id, emails=[email])
    assert [one.id for one in (await house.call.FindMembers(wanted)).members] == [alice.member.id]


async def test_an_address_of_somebody_else_cannot_be_added(house: House) -> None:
    """D34: nothing is said of it, no message leaves, and no code is right."""
    made = await house.chain()
    bobs = new_email()
    bob = (await house.enroll(made.chain.id, email=bobs)).member
    alice = await house.enroll(made.chain.id, phone=new_phone(), start_session=True)
    before = len(await house.events(made.chain.id, "code.requested"))

    asked = await _ask(house, made.chain.id, email=bobs, member_id=alice.member.id)

    assert asked.masked_address == f"{bobs[0]}•••@example.com"
    assert len(await house.events(made.chain.id, "code.requested")) == before
    refused = await refusal(
        _try(house, made.chain.id, asked.challenge_id, "123456", alice.session_token)
    )
    assert refused.code == "code_wrong"
    request = pb.GetMemberRequest(chain_id=made.chain.id, member_id=bob.id)
    assert (await house.call.GetMember(request)).member.email == bobs


async def test_an_address_that_was_taken_meanwhile_is_not_added(house: House) -> None:
    """D34: who proves or enrols with it first has it."""
    made = await house.chain()
    email = new_email()
    alice = await house.enroll(made.chain.id, phone=new_phone(), start_session=True)
    asked = await _ask(house, made.chain.id, email=email, member_id=alice.member.id)
    code = await house.code(made.chain.id, asked.challenge_id)
    await house.enroll(made.chain.id, email=email)

    refused = await refusal(
        _try(house, made.chain.id, asked.challenge_id, code, alice.session_token)
    )
    assert refused.code == "code_wrong"
    request = pb.GetMemberRequest(chain_id=made.chain.id, member_id=alice.member.id)
    assert (await house.call.GetMember(request)).member.email == ""
