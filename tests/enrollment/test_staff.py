"""Staff: who signs in, and who may not any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.clock import FixedClock
from services.chassis.errors import RemoteRefusal
from services.enrollment.usecases import staff as usecase
from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import PASSWORD, House, key, new_email, refusal

OWNER = types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="the-owner")


async def test_bob_signs_in_and_out(house: House) -> None:
    """LS-81: without a session nobody is anybody."""
    made = await house.chain()
    email = new_email("bob")
    bob = await house.staff(made.chain.id, email=email, name="Bob", role=pb.Staff.ROLE_MANAGER)
    session = await house.sign_in(email.upper())
    principal = await house.who(session.session_token)
    assert principal.actor == types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id=bob.id)
    assert (principal.role, principal.chain_id) == (pb.Staff.ROLE_MANAGER, made.chain.id)
    assert (principal.verified, list(principal.salon_ids)) == (False, [])
    assert principal.chain_slug == made.chain.slug

    for _ in range(2):
        await house.call.SignOut(pb.SignOutRequest(token=session.session_token))
    refused = await refusal(house.who(session.session_token))
    assert (refused.code, refused.status) == (
        "unauthenticated",
        grpc.StatusCode.UNAUTHENTICATED,
    )


@pytest.mark.parametrize(
    "token", ["", "x", "ms_", "ms_unknown", "mm_unknown", "mt_x", "mk_test_x", "é" * 50, "a" * 9999]
)
async def test_a_token_that_we_did_not_make_opens_nothing(house: House, token: str) -> None:
    assert (await refusal(house.who(token))).code == "unauthenticated"
    await house.call.SignOut(pb.SignOutRequest(token=token))


async def test_unknown_address_wrong_password_and_switched_off_answer_alike(house: House) -> None:
    made = await house.chain()
    email, off = new_email("bob"), new_email("off")
    await house.staff(made.chain.id, email=email)
    gone = await house.staff(made.chain.id, email=off)
    await house.call.SetStaffActive(
        pb.SetStaffActiveRequest(chain_id=made.chain.id, staff_id=gone.id, active=False)
    )
    answers = [
        await refusal(house.sign_in(*given))
        for given in (
            (new_email("nobody"), PASSWORD),
            (email, "wrong password"),
            (off, PASSWORD),
            ("not an address", PASSWORD),
            (email, "x" * 100_000),
            (email, ""),
        )
    ]
    assert {(it.code, it.field, it.status, str(it.params)) for it in answers} == {
        ("credentials_wrong", "", grpc.StatusCode.UNAUTHENTICATED, "{}")
    }


async def test_an_unknown_address_costs_as_much_hashing_as_a_known_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await house.chain()
    email = new_email("bob")
    await house.staff(made.chain.id, email=email)
    checked: list[bool] = []
    real = house.deps.passwords._verify

    def counting(stored: str, password: str) -> bool:
        checked.append(stored.startswith("$argon2id$"))
        return real(stored, password)

    monkeypatch.setattr(house.deps.passwords, "_verify", counting)
    await refusal(house.sign_in(email, "wrong password"))
    await refusal(house.sign_in(new_email("nobody"), "wrong password"))
    assert checked == [True, True]


async def test_wrong_passwords_are_limited_and_a_right_one_starts_afresh(house: House) -> None:
    made = await house.chain()
    email = new_email("bob")
    await house.staff(made.chain.id, email=email)
    for _ in range(usecase.SIGN_IN_BURST - 1):
        assert (await refusal(house.sign_in(email, "wrong password"))).code == "credentials_wrong"
    await house.sign_in(email)
    for _ in range(usecase.SIGN_IN_BURST):
        assert (await refusal(house.sign_in(email, "wrong password"))).code == "credentials_wrong"
    limited = await refusal(house.sign_in(email))
    assert (limited.code, limited.status) == ("RATE_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    # Nobody is locked out for good: the next try is one step of the limit away.
    assert 0 < limited.retry_after_seconds <= usecase.SIGN_IN_PER_SECONDS / usecase.SIGN_IN_BURST


async def test_an_idle_session_ends_and_a_busy_one_ends_after_a_week(
    timed: House, clock: FixedClock
) -> None:
    made = await timed.chain()
    idle = await timed.sign_in(made.owner.email)
    clock.advance(timedelta(hours=11, minutes=59))
    await timed.who(idle.session_token)
    clock.advance(timedelta(hours=11, minutes=59))
    await timed.who(idle.session_token)
    clock.advance(timedelta(hours=12, minutes=1))
    assert (await refusal(timed.who(idle.session_token))).code == "unauthenticated"

    busy = await timed.sign_in(made.owner.email)
    for _ in range(7 * 24 // 8 - 1):
        clock.advance(timedelta(hours=8))
        await timed.who(busy.session_token)
    clock.advance(timedelta(hours=8, seconds=1))
    assert (await refusal(timed.who(busy.session_token))).code == "unauthenticated"


async def test_switching_somebody_off_ends_their_sessions_at_once(house: House) -> None:
    made = await house.chain()
    email = new_email("bob")
    bob = await house.staff(made.chain.id, email=email)
    tokens = [(await house.sign_in(email)).session_token for _ in range(2)]
    request = pb.SetStaffActiveRequest(
        chain_id=made.chain.id, staff_id=bob.id, active=False, actor=OWNER
    )
    assert (await house.call.SetStaffActive(request)).staff.active is False
    await house.call.SetStaffActive(request)
    for token in tokens:
        assert (await refusal(house.who(token))).code == "unauthenticated"
    trail = await house.audit(made.chain.id)
    assert trail.count(("staff.deactivated", "staff:the-owner", bob.id)) == 1

    request.active = True
    await house.call.SetStaffActive(request)
    for token in tokens:
        assert (await refusal(house.who(token))).code == "unauthenticated"
    await house.sign_in(email)


async def test_a_new_password_ends_all_sessions_but_the_one_kept(house: House) -> None:
    made = await house.chain()
    email = new_email("bob")
    bob = await house.staff(made.chain.id, email=email)
    kept = (await house.sign_in(email)).session_token
    other = (await house.sign_in(email)).session_token
    await house.call.SetStaffPassword(
        pb.SetStaffPasswordRequest(
            chain_id=made.chain.id,
            staff_id=bob.id,
            password="another long password",
            keep_session_token=kept,
            actor=OWNER,
        )
    )
    await house.who(kept)
    assert (await refusal(house.who(other))).code == "unauthenticated"
    assert (await refusal(house.sign_in(email))).code == "credentials_wrong"
    await house.sign_in(email, "another long password")
    short = await refusal(
        house.call.SetStaffPassword(
            pb.SetStaffPasswordRequest(
                chain_id=made.chain.id, staff_id=bob.id, password="123456789"
            )
        )
    )
    assert (short.code, short.params["min"]) == ("password_invalid", "10")


async def test_the_last_owner_stays(house: House) -> None:
    made = await house.chain()
    request = pb.SetStaffActiveRequest(chain_id=made.chain.id, staff_id=made.owner.id, active=False)
    refused = await refusal(house.call.SetStaffActive(request))
    assert (refused.code, refused.status) == (
        "last_owner",
        grpc.StatusCode.FAILED_PRECONDITION,
    )
    await house.staff(made.chain.id, role=pb.Staff.ROLE_OWNER)
    assert (await house.call.SetStaffActive(request)).staff.active is False


async def test_two_owners_who_switch_each_other_off_leave_one(house: House) -> None:
    made = await house.chain()
    second = await house.staff(made.chain.id, role=pb.Staff.ROLE_OWNER)
    answers = await asyncio.gather(
        *(
            house.call.SetStaffActive(
                pb.SetStaffActiveRequest(chain_id=made.chain.id, staff_id=owner, active=False)
            )
            for owner in (made.owner.id, second.id)
        ),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, RemoteRefusal)]
    assert [answer.code for answer in refused] == ["last_owner"]
    listed = await house.call.ListStaff(pb.ListStaffRequest(chain_id=made.chain.id))
    assert [person.active for person in listed.staff].count(True) == 1


async def test_an_owner_who_leaves_waits_to_see_whether_the_other_one_stays(house: House) -> None:
    """Goal: no interleaving leaves a chain without an owner.

    Method: hold the other owner's leaving open, ask for the first one's, then let it commit.
    """
    made = await house.chain()
    second = await house.staff(made.chain.id, role=pb.Staff.ROLE_OWNER)
    async with house.pool.acquire() as conn:
        leaving = conn.transaction()
        await leaving.start()
        await conn.execute(
            "UPDATE staff SET active = false WHERE chain_id = $1 AND id = $2",
            made.chain.id,
            second.id,
        )
        asked = asyncio.create_task(
            refusal(
                house.call.SetStaffActive(
                    pb.SetStaffActiveRequest(
                        chain_id=made.chain.id, staff_id=made.owner.id, active=False
                    )
                )
            )
        )
        waiting = 0
        while not waiting and not asked.done():
            waiting = await house.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
            await asyncio.sleep(0.01)
        await leaving.commit()
    assert (await asked).code == "last_owner"


async def test_a_staff_address_is_unique_over_the_platform(
    house: House, neighbours: Neighbours
) -> None:
    email = new_email("bob")
    await house.staff(neighbours.a.chain.id, email=email)
    refused = await refusal(house.staff(neighbours.b.chain.id, email=email.upper()))
    assert (refused.code, refused.status) == ("email_taken", grpc.StatusCode.ALREADY_EXISTS)


async def test_making_staff_is_repeatable_by_key_and_by_key_only(house: House) -> None:
    made = await house.chain()
    request = pb.CreateStaffRequest(
        idempotency_key=key(),
        chain_id=made.chain.id,
        email=new_email("bob"),
        password=PASSWORD,
        role=pb.Staff.ROLE_CASHIER,
        actor=OWNER,
    )
    first = await house.call.CreateStaff(request)
    assert await house.call.CreateStaff(request) == first
    trail = await house.audit(made.chain.id)
    assert trail.count(("staff.created", "staff:the-owner", first.staff.id)) == 1
    for idempotency_key in ("", "x" * 256, "a\x00b"):
        request.idempotency_key = idempotency_key
        refused = await refusal(house.call.CreateStaff(request))
        assert (refused.code, refused.field) == ("idempotency_key_invalid", "idempotency_key")
    request.idempotency_key = key()
    request.role = pb.Staff.ROLE_UNSPECIFIED
    assert (await refusal(house.call.CreateStaff(request))).code == "role_invalid"


async def test_charlie_sees_and_touches_no_staff_of_alices_chain(
    house: House, neighbours: Neighbours
) -> None:
    a, b = neighbours.a.chain.id, neighbours.b.chain.id
    email = new_email("bob")
    bob = await house.staff(a, email=email)
    session = await house.sign_in(email)
    listed = await house.call.ListStaff(pb.ListStaffRequest(chain_id=b))
    assert [it.id for it in listed.staff] == [neighbours.b.owner.id]
    for call in (
        house.call.SetStaffActive(
            pb.SetStaffActiveRequest(chain_id=b, staff_id=bob.id, active=False)
        ),
        house.call.SetStaffPassword(
            pb.SetStaffPasswordRequest(chain_id=b, staff_id=bob.id, password="taken over!")
        ),
    ):
        assert (await refusal(call)).code == "not_found"
    await house.who(session.session_token)
