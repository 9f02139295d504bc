"""\"Prendre\": points leave now, a reward comes into the wallet (LS-33)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis import idempotency
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection, in_transaction
from services.rewards import answers
from services.rewards.answers import Answer, Settling
from services.rewards.domain.actors import Actor
from services.rewards.domain.definitions import RewardDefinition
from services.rewards.domain.errors import DefinitionRetired, NotFound
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    RewardId,
    SaleId,
    SalonId,
)
from services.rewards.domain.rewards import Reward, RewardState
from services.rewards.domain.settlements import LEASE_SECONDS, Settlement, SettlementKind
from services.rewards.storage import definitions, settlements
from services.rewards.storage import rewards as storage
from services.rewards.usecases.deps import Deps, RequestKey
from services.rewards.usecases.requests import Begun, find_earlier, until_settled
from services.rewards.usecases.settling import TAKE, settle_take


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeReward:
    """One member wants one definition for points of one account."""

    request: RequestKey
    chain_id: ChainId
    account_id: AccountId
    member_id: MemberId
    definition_id: DefinitionId
    salon_id: SalonId | None
    # The open sale on which it is used at once.
    sale_id: SaleId | None
    actor: Actor


async def take_reward(deps: Deps, command: TakeReward) -> Answer:
    """Turn points into a reward in the member's wallet ("Prendre", LS-33).

    Repeatable: the same key returns the first answer, and finds the same reward while its points
    are still being debited. The terms are frozen into the reward; later edits do not reach it.
    With a sale the discount goes on it together with the debit (SQ-20).

    Refuses with:
      - NotFound: no such definition, or the account is not hers or of another program.
      - DefinitionRetired: the definition was deleted before the take.
      - what points refuses: `insufficient_points`, or a sale that is counted, unknown, or another
        member's.
    `Unavailable` when points is out of reach; the take is then finished or undone by itself.
    """

    async def begin() -> Begun:
        return await in_transaction(deps.pool, lambda conn: _begin(deps, conn, command))

    async def settle(settlement: Settlement) -> Answer:
        return await settle_take(deps, settlement)

    return await until_settled(begin, settle)


async def _begin(deps: Deps, conn: Connection, command: TakeReward) -> Begun:
    """Claim the key together with a pending reward and the settlement that will decide on it."""
    claim = command.request.claim(chain_id=command.chain_id, operation=TAKE)
    earlier = await find_earlier(conn, claim)
    if earlier is not None:
        return earlier
    definition = await definitions.find(
        conn, chain_id=command.chain_id, definition_id=command.definition_id
    )
    if definition is None:
        raise NotFound(field="definition_id")
    if definition.deleted:
        raise DefinitionRetired(field="definition_id")
    reward = _pending(command, definition, now=deps.clock.now(command.chain_id))
    await storage.insert_pending(conn, reward)
    placeholder = Settling(chain_id=reward.chain_id, reward_id=reward.id)
    await idempotency.store_answers(conn, [(claim, answers.encode(placeholder))])
    settlement = await settlements.begin(
        conn,
        chain_id=command.chain_id,
        reward_id=reward.id,
        kind=SettlementKind.TAKE,
        request_key=command.request.key,
        salon_id=command.salon_id,
        actor=command.actor,
        lease_seconds=LEASE_SECONDS,
    )
    if settlement is None:
        raise InvariantViolated("a new reward is being settled already")
    return settlement


def _pending(command: TakeReward, definition: RewardDefinition, *, now: datetime) -> Reward:
    """A reward with the definition's terms of this moment (SQ-49)."""
    return Reward(
        id=RewardId(uuid4()),
        chain_id=command.chain_id,
        member_id=command.member_id,
        account_id=command.account_id,
        program_id=definition.program_id,
        definition_id=definition.id,
        offer_id=None,
        name=definition.terms.name,
        description=definition.terms.description,
        exclusion="",
        points=definition.terms.points,
        discount=definition.terms.discount,
        state=RewardState.PENDING,
        created_at=now,
        updated_at=now,
        redeemed_at=None,
        display_until=None,
        used_by_session="",
        redeemed_salon_id=None,
        expires_at=None,
        voided_at=None,
        points_returned=False,
        sale_id=command.sale_id,
        version=1,
    )
