"""\"Prendre\": points leave now, a reward comes into the wallet (LS-33)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis import idempotency
from services.chassis.errors import KeyReused
from services.chassis.idempotency import Claim, New, Twin
from services.chassis.postgres import Connection
from services.rewards import answers
from services.rewards.answers import Answer, Settling
from services.rewards.domain.actors import Actor
from services.rewards.domain.definitions import RewardDefinition
from services.rewards.domain.errors import DefinitionRetired, NotFound, Refusal
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    RewardId,
    SaleId,
    SalonId,
    SettlementId,
)
from services.rewards.domain.rewards import Reward, RewardState
from services.rewards.domain.settlements import LEASE_SECONDS, Settlement, SettlementKind
from services.rewards.storage import definitions, settlements
from services.rewards.storage import rewards as storage
from services.rewards.usecases.deps import Deps, RequestKey
from services.rewards.usecases.issuing import TAKE
from services.rewards.usecases.requests import Begun, earlier_of, until_settled
from services.rewards.usecases.settling import settle_take
from services.rewards.usecases.together import together


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


async def take_reward(deps: Deps, command: TakeReward, *, patient: bool = True) -> Answer:
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
    `StillSettling` where a twin of this request is on its way and the caller is not patient.
    """

    written: list[Reward] = []

    async def begin() -> Begun:
        took = await together(deps, begin_takes, command)
        written.extend(took.written)
        return took.begun

    async def settle(settlement: Settlement) -> Answer:
        return await settle_take(deps, settlement, reward=written[0] if written else None)

    return await until_settled(begin, settle, patient=patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How far a take has come, and the pending reward where this one has written it."""

    begun: Begun
    written: tuple[Reward, ...] = ()


async def begin_takes(
    deps: Deps, conn: Connection, commands: Sequence[TakeReward]
) -> list[Took | Exception]:
    """Claim the keys together with pending rewards and the settlements that decide on them.

    Each as if it had come alone: a refused take leaves no key and does not touch its neighbours.
    """
    claims = [
        command.request.claim(chain_id=command.chain_id, operation=TAKE) for command in commands
    ]
    results = await idempotency.claim_many(conn, claims)
    fresh = {place for place, result in enumerate(results) if isinstance(result, New)}
    wanted = {(commands[place].chain_id, commands[place].definition_id) for place in fresh}
    known = await definitions.find_many(conn, wanted) if wanted else {}
    took: dict[int, Took | Exception] = {}
    for place, (command, result) in enumerate(zip(commands, results, strict=True)):
        try:
            match result:
                case New():
                    took[place] = _begun(deps, command, known)
                case Twin(first=first):
                    took[place] = _twin(took[first])
                case _:
                    took[place] = Took(begun=await earlier_of(conn, result))
        except (Refusal, KeyReused) as refusal:
            took[place] = refusal
    await _write(conn, [(claims[place], took[place]) for place in sorted(fresh)])
    return [took[place] for place in range(len(commands))]


def _begun(
    deps: Deps,
    command: TakeReward,
    known: Mapping[tuple[ChainId, DefinitionId], RewardDefinition],
) -> Took:
    definition = known.get((command.chain_id, command.definition_id))
    if definition is None:
        raise NotFound(field="definition_id")
    if definition.deleted:
        raise DefinitionRetired(field="definition_id")
    reward = _pending(command, definition, now=deps.clock.now(command.chain_id))
    settlement = Settlement(
        id=SettlementId(uuid4()),
        chain_id=command.chain_id,
        reward_id=reward.id,
        kind=SettlementKind.TAKE,
        request_key=command.request.key,
        salon_id=command.salon_id,
        actor=command.actor,
        attempts=1,
    )
    return Took(begun=settlement, written=(reward,))


def _twin(first: Took | Exception) -> Took | Exception:
    """The same request twice in one batch: the second waits for the first, or is refused alike."""
    if isinstance(first, Took) and isinstance(first.begun, Settlement):
        settlement = first.begun
        begun = Settling(chain_id=settlement.chain_id, reward_id=settlement.reward_id)
        return Took(begun=begun)
    return first


async def _write(conn: Connection, new: Sequence[tuple[Claim, Took | Exception]]) -> None:
    """Rewards, settlements and answers of new keys; refused ones are given back."""
    begun = [(claim, took) for claim, took in new if isinstance(took, Took)]
    rewards = [reward for _, took in begun for reward in took.written]
    if rewards:
        await storage.insert_pending(conn, rewards)
        await settlements.begin_takes(
            conn,
            [took.begun for _, took in begun if isinstance(took.begun, Settlement)],
            lease_seconds=LEASE_SECONDS,
        )
    await idempotency.store_answers(
        conn,
        [
            (claim, answers.encode(Settling(chain_id=reward.chain_id, reward_id=reward.id)))
            for claim, took in begun
            for reward in took.written
        ],
    )
    await idempotency.release(conn, [claim for claim, took in new if not isinstance(took, Took)])


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
