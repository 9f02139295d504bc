"""Reward definitions of a program: one by one, or as the whole list of a program."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import APIRouter
from loyalty.rewards.v1 import rewards_pb2
from loyalty.rewards.v1.rewards_pb2 import Discount, RewardDefinition
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, LoyaltyWriter
from services.gateway.pos.discounts import RewardTierIn, discount_of
from services.gateway.pos.fields import Key, Part, known_id
from services.gateway.pos.found import program_of
from services.gateway.pos.shapes import Empty, RewardTierShape, tier_shape

router = APIRouter(prefix="/loyalty/programs/{program_id}/reward-tiers", tags=["Loyalty programs"])

# SQ-50; the rewards service holds it, this one only refuses early what cannot end well.
REWARD_DEFINITIONS_MAX = 15


class TierAnswer(TypedDict):
    """One reward definition."""

    reward_tier: RewardTierShape


class SaveTier(Part):
    """A reward definition to make or to change."""

    reward_tier: RewardTierIn
    idempotency_key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One entry of a list of reward definitions that a caller wants."""

    place: int
    tier: RewardTierIn
    # None where the caller says nothing of it: a known definition keeps its discount.
    discount: Discount | None

    @property
    def field(self) -> str:
        """The entry as the caller knows it."""
        return f"program.reward_tiers[{self.place}]"

    def matches(self, present: RewardDefinition) -> bool:
        """Whether a definition already says what is wanted."""
        description = self.tier.description
        return (
            present.name == self.tier.name
            and present.points == self.tier.points
            and (description is None or present.description == description)
            and (self.discount is None or present.discount == self.discount)
        )


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a new list of reward definitions means for the present one."""

    gone: list[str] = field(default_factory=list)
    changed: list[tuple[str, Wish]] = field(default_factory=list)
    made: list[Wish] = field(default_factory=list)


def _fields(prefix: str) -> dict[str, str]:
    return {
        "definition_id": f"{prefix}.id",
        "name": f"{prefix}.name",
        "description": f"{prefix}.description",
        "points": f"{prefix}.points",
        "discount": f"{prefix}.definition",
        "percentage": f"{prefix}.definition.percentage_discount",
        "amount": f"{prefix}.definition.fixed_discount_money",
        "program_id": "",
    }


async def read(caller: Caller, wanted: list[RewardTierIn] | None) -> list[Wish] | None:
    """The wishes of a request, each with its discount; refuses what could not be honoured."""
    if wanted is None:
        return None
    currency = (await caller.chain()).currency
    wishes = []
    for place, tier in enumerate(wanted):
        name = f"program.reward_tiers[{place}].definition"
        discount = None
        if tier.definition is not None:
            discount = discount_of(tier.definition, currency=currency, field=name)
        wishes.append(Wish(place=place, tier=tier, discount=discount))
    return wishes


async def plan(caller: Caller, program_id: str, wishes: list[Wish] | None) -> Plan:
    """What to delete, change and make; refuses before anything is changed.

    An entry with its id is that definition; one without, which says just what a present one says,
    is that one. So the same list sent twice changes nothing the second time. An empty `program_id`
    is a program that is yet to be made.
    """
    if wishes is None:
        return Plan()
    listed = await caller.deps.clients.rewards.ListRewardDefinitions(
        rewards_pb2.ListRewardDefinitionsRequest(chain_id=caller.chain_id)
    )
    present = {item.id: item for item in listed.definitions if program_id in {"", item.program_id}}
    others = len(listed.definitions) - len(present)
    made = _compare(present, wishes, is_new_program=not program_id)
    if not program_id:
        others, made.gone = len(made.gone), []
    if others + len(wishes) > REWARD_DEFINITIONS_MAX:
        raise ApiError.of(
            "REWARD_LIMIT",
            field="program.reward_tiers",
            params={"limit": str(REWARD_DEFINITIONS_MAX)},
        )
    return made


def _compare(
    present: dict[str, RewardDefinition], wishes: list[Wish], *, is_new_program: bool
) -> Plan:
    made = Plan()
    left = dict(present)
    for wish in wishes:
        if wish.tier.id is None:
            continue
        name = f"{wish.field}.id"
        tier_id = known_id(wish.tier.id, field=name)
        found = None if is_new_program else left.pop(tier_id, None)
        if found is None:
            raise ApiError.of("NOT_FOUND", field=name)
        if not wish.matches(found):
            made.changed.append((tier_id, wish))
    for wish in wishes:
        if wish.tier.id is not None:
            continue
        same = next((item.id for item in left.values() if wish.matches(item)), None)
        if same is None:
            made.made.append(wish)
        else:
            del left[same]
    made.gone = list(left)
    return made


async def carry_out(caller: Caller, planned: Plan, *, program_id: str, key: str) -> None:
    """Delete, change, make, in this order so that the limit holds at every step. Repeatable."""
    rewards = caller.deps.clients.rewards
    for tier_id in planned.gone:
        await rewards.DeleteRewardDefinition(
            rewards_pb2.DeleteRewardDefinitionRequest(
                chain_id=caller.chain_id, definition_id=tier_id, actor=caller.actor
            )
        )
    for tier_id, wish in planned.changed:
        await _change(caller, tier_id, wish.tier, wish.discount, prefix=wish.field)
    for wish in planned.made:
        discount = wish.discount or Discount(in_kind=True)
        await _make(
            caller,
            program_id,
            wish.tier,
            discount,
            key=f"{key}:{wish.place}",
            prefix=wish.field,
        )


async def _make(
    caller: Caller,
    program_id: str,
    tier: RewardTierIn,
    discount: Discount,
    *,
    key: str,
    prefix: str,
) -> RewardDefinition:
    with api_fields(_fields(prefix)):
        answer = await caller.deps.clients.rewards.CreateRewardDefinition(
            rewards_pb2.CreateRewardDefinitionRequest(
                idempotency_key=key,
                chain_id=caller.chain_id,
                program_id=program_id,
                name=tier.name,
                description=tier.description or "",
                points=tier.points,
                discount=discount,
                actor=caller.actor,
            )
        )
    return answer.definition


async def _change(
    caller: Caller, tier_id: str, tier: RewardTierIn, discount: Discount | None, *, prefix: str
) -> RewardDefinition:
    with api_fields(_fields(prefix)):
        answer = await caller.deps.clients.rewards.UpdateRewardDefinition(
            rewards_pb2.UpdateRewardDefinitionRequest(
                chain_id=caller.chain_id,
                definition_id=tier_id,
                name=tier.name,
                description=tier.description,
                points=tier.points,
                discount=discount,
                actor=caller.actor,
            )
        )
    return answer.definition


async def _living(caller: Caller, program_id: str, tier_id: str) -> RewardDefinition:
    """A living definition of this program; anything else is not found."""
    wanted = known_id(tier_id)
    listed = await caller.deps.clients.rewards.ListRewardDefinitions(
        rewards_pb2.ListRewardDefinitionsRequest(chain_id=caller.chain_id, program_id=program_id)
    )
    for definition in listed.definitions:
        if definition.id == wanted:
            return definition
    raise ApiError.of("NOT_FOUND")


@router.post("", response_model=TierAnswer, operation_id="CreateRewardTier")
async def create_tier(caller: LoyaltyWriter, program_id: str, body: SaveTier) -> Response:
    """Make one reward definition; the 16th of a chain is refused with REWARD_LIMIT (SQ-50)."""
    key = caller.key(body.idempotency_key)
    program = await program_of(caller, program_id)
    discount = discount_of(
        body.reward_tier.definition,
        currency=(await caller.chain()).currency,
        field="reward_tier.definition",
    )
    definition = await _make(
        caller, program.id, body.reward_tier, discount, key=key, prefix="reward_tier"
    )
    return Json({"reward_tier": tier_shape(definition)})


@router.put("/{tier_id}", response_model=TierAnswer, operation_id="UpdateRewardTier")
async def update_tier(
    caller: LoyaltyWriter, program_id: str, tier_id: str, body: SaveTier
) -> Response:
    """Change one reward definition. Rewards that were taken keep their terms (SQ-49)."""
    program = await program_of(caller, program_id)
    present = await _living(caller, program.id, tier_id)
    discount = None
    if body.reward_tier.definition is not None:
        discount = discount_of(
            body.reward_tier.definition,
            currency=(await caller.chain()).currency,
            field="reward_tier.definition",
        )
    changed = await _change(caller, present.id, body.reward_tier, discount, prefix="reward_tier")
    return Json({"reward_tier": tier_shape(changed)})


@router.delete("/{tier_id}", response_model=Empty, operation_id="DeleteRewardTier")
async def delete_tier(caller: LoyaltyWriter, program_id: str, tier_id: str) -> Response:
    """Take one reward definition away; rewards that were taken stay usable."""
    program = await program_of(caller, program_id)
    present = await _living(caller, program.id, tier_id)
    with api_fields(_fields("")):
        await caller.deps.clients.rewards.DeleteRewardDefinition(
            rewards_pb2.DeleteRewardDefinitionRequest(
                chain_id=caller.chain_id, definition_id=present.id, actor=caller.actor
            )
        )
    return Json({})
