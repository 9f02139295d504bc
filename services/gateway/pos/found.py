"""Things of the caller's chain by their id; what is another chain's is not found."""

from __future__ import annotations

from loyalty.enrollment.v1.enrollment_pb2 import GetMemberRequest, Member
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2

from services.gateway.errors import ApiError, api_fields
from services.gateway.pos.caller import Caller
from services.gateway.pos.fields import known_id


async def program_of(caller: Caller, program_id: str, *, field: str = "") -> points_pb2.Program:
    """A program, by id or as `main`: the chain's first active one."""
    wanted = program_id if program_id == "main" else known_id(program_id, field=field)
    with api_fields({"program_id": field}):
        answer = await caller.deps.clients.points.GetProgram(
            points_pb2.GetProgramRequest(chain_id=caller.chain_id, program_id=wanted)
        )
    return answer.program


async def account_of(caller: Caller, account_id: str, *, field: str = "") -> points_pb2.Account:
    """A member's account."""
    name = (caller.chain_id, known_id(account_id, field=field))
    with api_fields({"account_id": field}):
        account = await caller.deps.gathered.accounts.one(name)
        if account is not None:
            return account
        # Asked for alone, it is refused in the words of its own call.
        request = points_pb2.GetAccountRequest(chain_id=name[0], account_id=name[1])
        return (await caller.deps.clients.points.GetAccount(request)).account


async def sale_of(caller: Caller, order_id: str, *, field: str = "") -> points_pb2.Sale:
    """A sale; one of a salon that the key does not speak for is not found."""
    with api_fields({"sale_id": field}):
        answer = await caller.deps.clients.points.GetSale(
            points_pb2.GetSaleRequest(
                chain_id=caller.chain_id, sale_id=known_id(order_id, field=field)
            )
        )
    if not caller.may_speak_for(answer.sale.salon_id):
        raise ApiError.of("NOT_FOUND", field=field)
    return answer.sale


async def sale_or_none(caller: Caller, order_id: str) -> points_pb2.Sale | None:
    """A sale, or None where `sale_of` finds none."""
    try:
        return await sale_of(caller, order_id)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


async def visible_sale_id(caller: Caller, order_id: str, *, field: str) -> str:
    """A sale's id as it may be passed on: that there is one is left to points to say.

    A key of some salons is held to them here, at the price of one look.
    """
    if caller.salon_ids:
        return (await sale_of(caller, order_id, field=field)).id
    return known_id(order_id, field=field)


async def reward_of(caller: Caller, reward_id: str) -> rewards_pb2.Reward:
    """A reward in a member's wallet."""
    with api_fields({"reward_id": ""}):
        answer = await caller.deps.clients.rewards.GetReward(
            rewards_pb2.GetRewardRequest(chain_id=caller.chain_id, reward_id=known_id(reward_id))
        )
    return answer.reward


async def member_of(caller: Caller, member_id: str, *, field: str = "") -> Member:
    """A member of the chain."""
    name = (caller.chain_id, known_id(member_id, field=field))
    with api_fields({"member_id": field}):
        member = await caller.deps.gathered.members.one(name)
        if member is not None:
            return member
        # A merged member is answered by the living one, an unknown one refused.
        request = GetMemberRequest(chain_id=name[0], member_id=name[1])
        return (await caller.deps.clients.enrollment.GetMember(request)).member
