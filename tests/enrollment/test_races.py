"""What happens at the same moment happens once."""

from __future__ import annotations

import asyncio

from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from tests.enrollment.house import PASSWORD, House, key, new_email, new_phone


async def test_50_enrolments_of_one_phone_make_one_member(house: House) -> None:
    made = await house.chain()
    phone = new_phone()
    answers = await asyncio.gather(
        *(house.enroll(made.chain.id, phone=phone, start_session=True) for _ in range(50))
    )
    assert [answer.created for answer in answers].count(True) == 1
    assert len({answer.member.id for answer in answers}) == 1
    assert len([answer for answer in answers if answer.session_token]) == 1
    assert len(await house.events(made.chain.id, "member.enrolled")) == 1


async def test_enrolments_that_cross_by_phone_and_e_mail_make_one_member_each_address(
    house: House,
) -> None:
    made = await house.chain()
    phone, email = new_phone(), new_email()
    answers = await asyncio.gather(
        *(
            house.enroll(made.chain.id, **fields)
            for _ in range(10)
            for fields in (
                {"phone": phone},
                {"email": email},
                {"phone": phone, "email": email},
            )
        )
    )
    rows = await house.pool.fetch(
        "SELECT phone, email FROM member WHERE chain_id = $1", made.chain.id
    )
    assert len([row for row in rows if row["phone"] == phone]) == 1
    assert len([row for row in rows if row["email"] == email]) == 1
    assert [answer.created for answer in answers].count(True) == len(rows)


async def test_20_resends_of_one_enrolment_get_one_answer(house: House) -> None:
    made = await house.chain()
    fields = {"idempotency_key": key(), "phone": new_phone(), "start_session": True}
    answers = await asyncio.gather(*(house.enroll(made.chain.id, **fields) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].created


async def test_20_wrong_codes_at_once_are_five_tries(house: House) -> None:
    """D34."""
    made = await house.chain()
    phone = new_phone()
    await house.enroll(made.chain.id, phone=phone)
    asked = await house.call.RequestCode(pb.RequestCodeRequest(chain_id=made.chain.id, phone=phone))
    code = await house.code(made.chain.id, asked.challenge_id)
    wrong = str((int(code) + 1) % 1_000_000).zfill(6)

    async def attempt(typed: str) -> str:
        try:
            await house.call.VerifyCode(
                pb.VerifyCodeRequest(
                    chain_id=made.chain.id, challenge_id=asked.challenge_id, code=typed
                )
            )
        except RemoteRefusal as refused:
            return refused.code
        return "opened"

    answers = await asyncio.gather(*(attempt(wrong) for _ in range(20)))
    assert set(answers) == {"code_wrong"}
    tries = await house.pool.fetchval(
        "SELECT tries FROM code_challenge WHERE chain_id = $1", made.chain.id
    )
    assert tries == 5
    assert await attempt(code) == "code_wrong"


async def test_the_right_code_at_once_opens_one_session(house: House) -> None:
    made = await house.chain()
    phone = new_phone()
    await house.enroll(made.chain.id, phone=phone)
    asked = await house.call.RequestCode(pb.RequestCodeRequest(chain_id=made.chain.id, phone=phone))
    code = await house.code(made.chain.id, asked.challenge_id)
    request = pb.VerifyCodeRequest(
        chain_id=made.chain.id, challenge_id=asked.challenge_id, code=code
    )
    answers = await asyncio.gather(
        *(house.call.VerifyCode(request) for _ in range(10)), return_exceptions=True
    )
    assert len([answer for answer in answers if isinstance(answer, pb.VerifyCodeResponse)]) == 1


async def test_one_phone_claimed_by_two_members_at_once_goes_to_one(house: House) -> None:
    """SQ-11."""
    made = await house.chain()
    members = [(await house.enroll(made.chain.id)).member for _ in range(8)]
    phone = new_phone()
    answers = await asyncio.gather(
        *(
            house.call.UpdateMember(
                pb.UpdateMemberRequest(chain_id=made.chain.id, member_id=it.id, phone=phone)
            )
            for it in members
        ),
        return_exceptions=True,
    )
    refused = [it.code for it in answers if isinstance(it, RemoteRefusal)]
    assert refused == ["member_exists"] * 7


async def test_chains_of_one_name_at_once_get_a_web_name_each(house: House) -> None:
    made = await asyncio.gather(*(house.chain("Ensemble pareil") for _ in range(8)))
    assert len({it.chain.slug for it in made}) == 8


async def test_twins_of_one_chain_request_make_one_chain(house: House) -> None:
    request = pb.CreateChainRequest(
        idempotency_key=key(),
        name="Jumelles",
        owner_email=new_email("owner"),
        owner_password=PASSWORD,
    )
    answers = await asyncio.gather(*(house.call.CreateChain(request) for _ in range(8)))
    assert len({it.chain.id for it in answers}) == 1
    assert len({it.api_key_token for it in answers}) == 1


async def test_changes_at_once_count_one_version_each(house: House) -> None:
    """Versions and their events come in one order; none is lost."""
    made = await house.chain()
    plans = [types_pb2.PLAN_PRO, types_pb2.PLAN_ESSENTIEL] * 5
    await asyncio.gather(
        *(
            house.call.SetPlan(pb.SetPlanRequest(chain_id=made.chain.id, plan=plan))
            for plan in plans
        )
    )
    told = [event.payload.version for event in await house.events(made.chain.id, "chain.changed")]
    assert told == list(range(1, len(told) + 1))
    alice = (await house.enroll(made.chain.id)).member
    await asyncio.gather(
        *(
            house.call.UpdateMember(
                pb.UpdateMemberRequest(
                    chain_id=made.chain.id, member_id=alice.id, note=f"note {number}"
                )
            )
            for number in range(10)
        )
    )
    versions = [
        event.payload.version for event in await house.events(made.chain.id, "contact.changed")
    ]
    assert versions == list(range(1, 12))
