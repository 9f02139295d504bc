"""Rewards: take, look up, use, give back; and the salon's own remedies, restore and void."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from fastapi import APIRouter
from loyalty.rewards.v1 import rewards_pb2
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos import cursors
from services.gateway.pos.caller import Caller, LoyaltyReader, LoyaltyWriter
from services.gateway.pos.event_shapes import EventShape, reward_event
from services.gateway.pos.fields import Cursor, Flag, Id, Key, Part, known_id
from services.gateway.pos.found import account_of, reward_of, sale_of, visible_sale_id
from services.gateway.pos.order_shapes import OrderShape
from services.gateway.pos.orders import shaped
from services.gateway.pos.shapes import Empty, RewardShape, reward_shape

router = APIRouter(prefix="/loyalty/rewards", tags=["Loyalty rewards"])

PAGE_MAX = 30
# A reward is used again only after staff restored it; nobody does that more often.
USES_LOOKED_AT_MAX = 20
# How rewards says that a twin of this take is on its way.
STILL_SETTLING = "still_settling"


class RewardAnswer(TypedDict):
    """One reward."""

    reward: RewardShape


class VoidAnswer(TypedDict):
    """The voided reward, and the balance where points came back."""

    reward: RewardShape
    balance: NotRequired[int]


class PlacedAnswer(TypedDict):
    """The reward, and the order with what it comes to now."""

    reward: RewardShape
    order: OrderShape


class RewardsAnswer(TypedDict):
    """A page of rewards."""

    rewards: list[RewardShape]
    cursor: NotRequired[str]


class UsedAnswer(TypedDict):
    """What a use made."""

    event: EventShape


class NewReward(Part):
    """A reward to take: whose points, for what."""

    loyalty_account_id: Id
    reward_tier_id: Id
    order_id: Id | None = None


class CreateReward(Part):
    """Turns points into a reward ("Prendre")."""

    reward: NewReward
    idempotency_key: Key | None = None


class RewardQuery(Part):
    """Of one account, and in one state if wished."""

    loyalty_account_id: Id
    status: Literal["ISSUED", "REDEEMED", "DELETED"] | None = None


class SearchRewards(Part):
    """Rewards, last changed first."""

    query: RewardQuery | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=PAGE_MAX)] | None = None
    cursor: Cursor | None = None


class RedeemReward(Part):
    """Uses a reward at a salon."""

    idempotency_key: Key | None = None
    location_id: Id


class RestoreReward(Part):
    """Makes a used reward usable again."""

    idempotency_key: Key | None = None


class VoidReward(Part):
    """Takes a reward out of the wallet."""

    idempotency_key: Key | None = None
    return_points: Flag | None = None


class ApplyReward(Part):
    """Puts a reward that was taken before on an open order."""

    order_id: Id
    idempotency_key: Key | None = None


class RemoveReward(Part):
    """Takes a reward off this open order."""

    order_id: Id
    idempotency_key: Key | None = None


_STATUSES = {
    "ISSUED": [rewards_pb2.REWARD_STATUS_ISSUED],
    "REDEEMED": [rewards_pb2.REWARD_STATUS_REDEEMED],
    "DELETED": [rewards_pb2.REWARD_STATUS_VOIDED, rewards_pb2.REWARD_STATUS_EXPIRED],
}


@router.post("", response_model=RewardAnswer, operation_id="CreateLoyaltyReward")
async def create_reward(caller: LoyaltyWriter, body: CreateReward) -> Response:
    """Take a reward: its points leave the account now ("Prendre", LS-33).

    With `order_id` it goes on that open order at once and changes its total (SQ-20); deleting the
    reward gives points and total back. Once the order is COMPLETED both are refused.
    """
    key = caller.key(body.idempotency_key)
    wanted = body.reward
    account = await account_of(caller, wanted.loyalty_account_id, field="reward.loyalty_account_id")
    definition_id = known_id(wanted.reward_tier_id, field="reward.reward_tier_id")
    sale_id = ""
    if wanted.order_id is not None:
        sale_id = await visible_sale_id(caller, wanted.order_id, field="reward.order_id")
    names = {
        "definition_id": "reward.reward_tier_id",
        "account_id": "reward.loyalty_account_id",
        "program_id": "reward.reward_tier_id",
        "points": "reward.reward_tier_id",
        "sale_id": "reward.order_id",
        "member_id": "reward.order_id",
        "discount": "reward.reward_tier_id",
    }
    with api_fields(names):
        answer = await _take(
            caller,
            rewards_pb2.TakeRewardRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                account_id=account.id,
                member_id=account.member_id,
                definition_id=definition_id,
                salon_id=caller.only_salon,
                actor=caller.actor,
                sale_id=sale_id,
            ),
        )
    await _tell(caller, answer.reward, "points", "rewards")
    return Json({"reward": reward_shape(answer.reward)})


async def _take(
    caller: Caller, request: rewards_pb2.TakeRewardRequest
) -> rewards_pb2.TakeRewardResponse:
    try:
        return await caller.deps.gathered.takes.one(request)
    except RemoteRefusal as refusal:
        if refusal.code != STILL_SETTLING:
            raise
        # The same request is on its way: wait for its answer, and let the others go on.
        return await caller.deps.clients.rewards.TakeReward(request)


async def _tell(caller: Caller, reward: rewards_pb2.Reward, *kinds: str) -> None:
    for kind in kinds:
        await caller.deps.live.publish(caller.chain_id, reward.member_id, kind)


@router.post("/search", response_model=RewardsAnswer, operation_id="SearchLoyaltyRewards")
async def search_rewards(caller: LoyaltyReader, body: SearchRewards) -> Response:
    """Rewards of an account (or of all), last changed first."""
    query = body.query
    filters = query.model_dump(mode="json", exclude_none=True) if query else {}
    deps = caller.deps
    position = cursors.read(deps, caller.chain_id, "rewards", filters, body.cursor)
    account_id = ""
    if query is not None:
        field = "query.loyalty_account_id"
        account_id = (await account_of(caller, query.loyalty_account_id, field=field)).id
    status = query.status if query else None
    wanted = _STATUSES[status] if status else [item for some in _STATUSES.values() for item in some]
    answer = await deps.clients.rewards.SearchRewards(
        rewards_pb2.SearchRewardsRequest(
            chain_id=caller.chain_id,
            account_id=account_id,
            statuses=wanted,
            limit=body.limit or PAGE_MAX,
            cursor=position[0] if position else "",
        )
    )
    page: RewardsAnswer = {"rewards": [reward_shape(reward) for reward in answer.rewards]}
    if answer.cursor:
        page["cursor"] = cursors.give(deps, caller.chain_id, "rewards", filters, [answer.cursor])
    return Json(page)


@router.get("/{reward_id}", response_model=RewardAnswer, operation_id="RetrieveLoyaltyReward")
async def get_reward(caller: LoyaltyReader, reward_id: str) -> Response:
    """One reward, with the terms that were frozen into it."""
    return Json({"reward": reward_shape(await reward_of(caller, reward_id))})


@router.delete("/{reward_id}", response_model=Empty, operation_id="DeleteLoyaltyReward")
async def delete_reward(caller: LoyaltyWriter, reward_id: str) -> Response:
    """Undo a take: the points come back (D35). A used reward is refused."""
    reward_id = known_id(reward_id)
    # The same caller may repeat it and gets the same answer.
    key = caller.key_or_none(None) or f"delete:{caller.principal.session_id}:{reward_id}"
    await _void(caller, reward_id, key=key, return_points=True)
    return Json({})


async def _void(
    caller: Caller, reward_id: str, *, key: str, return_points: bool
) -> rewards_pb2.VoidRewardResponse:
    with api_fields({"reward_id": ""}):
        answer = await caller.deps.clients.rewards.VoidReward(
            rewards_pb2.VoidRewardRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                reward_id=reward_id,
                return_points=return_points,
                actor=caller.actor,
            )
        )
    await _tell(caller, answer.reward, "points", "rewards")
    return answer


@router.post("/{reward_id}/redeem", response_model=UsedAnswer, operation_id="RedeemLoyaltyReward")
async def redeem_reward(caller: LoyaltyWriter, reward_id: str, body: RedeemReward) -> Response:
    """Use a reward ("Utiliser"): of any number of parallel calls exactly one succeeds (LS-38)."""
    key = caller.key(body.idempotency_key)
    salon = await caller.salon(body.location_id)
    with api_fields({"reward_id": "", "salon_id": "location_id"}):
        answer = await caller.deps.gathered.uses.one(
            rewards_pb2.UseRewardRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                reward_id=known_id(reward_id),
                salon_id=salon.id,
                session_id=caller.principal.session_id,
                actor=caller.actor,
            )
        )
    await _tell(caller, answer.reward, "rewards", "countdown")
    if answer.HasField("event"):
        return Json({"event": reward_event(answer.event)})
    return Json({"event": await _event_of_use(caller, answer.reward)})


async def _event_of_use(caller: Caller, reward: rewards_pb2.Reward) -> EventShape:
    """The event of this very use: a replay names the first one, whatever happened since."""
    listed = await caller.deps.clients.rewards.ListRewardEvents(
        rewards_pb2.ListRewardEventsRequest(
            chain_id=caller.chain_id,
            reward_id=reward.id,
            kinds=[rewards_pb2.REWARD_EVENT_KIND_USED],
            limit=USES_LOOKED_AT_MAX,
        )
    )
    events = list(listed.events)
    mine = [event for event in events if event.occurred_at == reward.redeemed_at]
    return reward_event((mine or events)[0])


@router.post(
    "/{reward_id}/restore", response_model=RewardAnswer, operation_id="RestoreLoyaltyReward"
)
async def restore_reward(caller: LoyaltyWriter, reward_id: str, body: RestoreReward) -> Response:
    """Make a used reward usable again ("Remettre à gagné", LS-75); points stay as they are."""
    key = caller.key(body.idempotency_key)
    with api_fields({"reward_id": ""}):
        answer = await caller.deps.clients.rewards.RestoreReward(
            rewards_pb2.RestoreRewardRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                reward_id=known_id(reward_id),
                actor=caller.actor,
            )
        )
    await _tell(caller, answer.reward, "rewards")
    return Json({"reward": reward_shape(answer.reward)})


@router.post("/{reward_id}/void", response_model=VoidAnswer, operation_id="VoidLoyaltyReward")
async def void_reward(caller: LoyaltyWriter, reward_id: str, body: VoidReward) -> Response:
    """Take a reward out of the wallet ("Annuler"); points come back unless told not to (D35)."""
    key = caller.key(body.idempotency_key)
    return_points = True if body.return_points is None else body.return_points
    answer = await _void(caller, known_id(reward_id), key=key, return_points=return_points)
    told: VoidAnswer = {"reward": reward_shape(answer.reward)}
    if answer.reward.points_returned:
        told["balance"] = answer.balance
    return Json(told)


@router.post("/{reward_id}/apply", response_model=PlacedAnswer, operation_id="ApplyLoyaltyReward")
async def apply_reward(caller: LoyaltyWriter, reward_id: str, body: ApplyReward) -> Response:
    """Put a reward that the member took before on an open order (SQ-19, SQ-20).

    No points leave again. Repeatable by itself; a reward on another order is refused.
    """
    reward_id = known_id(reward_id)
    sale_id = await visible_sale_id(caller, body.order_id, field="order_id")
    names = {"reward_id": "", "sale_id": "order_id", "member_id": "order_id"}
    with api_fields(names):
        answer = await caller.deps.clients.rewards.ApplyReward(
            rewards_pb2.ApplyRewardRequest(
                chain_id=caller.chain_id,
                reward_id=reward_id,
                sale_id=sale_id,
                actor=caller.actor,
            )
        )
    await _tell(caller, answer.reward, "rewards")
    return await _placed(caller, answer.reward, sale_id)


@router.post("/{reward_id}/remove", response_model=PlacedAnswer, operation_id="RemoveLoyaltyReward")
async def remove_reward(caller: LoyaltyWriter, reward_id: str, body: RemoveReward) -> Response:
    """Take a reward off an open order; it stays in the wallet (SQ-20). Repeatable by itself.

    To have its points back as well, delete it.
    """
    reward = await reward_of(caller, reward_id)
    sale_id = await visible_sale_id(caller, body.order_id, field="order_id")
    if reward.sale_id and reward.sale_id != sale_id:
        raise ApiError.of("REWARD_ON_ANOTHER_SALE", field="order_id")
    if reward.sale_id:
        with api_fields({"reward_id": "", "sale_id": "order_id"}):
            answer = await caller.deps.clients.rewards.RemoveReward(
                rewards_pb2.RemoveRewardRequest(
                    chain_id=caller.chain_id, reward_id=reward.id, actor=caller.actor
                )
            )
        reward = answer.reward
        await _tell(caller, reward, "rewards")
    return await _placed(caller, reward, sale_id)


async def _placed(caller: Caller, reward: rewards_pb2.Reward, sale_id: str) -> Response:
    sale = await sale_of(caller, sale_id, field="order_id")
    return Json({"reward": reward_shape(reward), "order": await shaped(caller, sale)})
