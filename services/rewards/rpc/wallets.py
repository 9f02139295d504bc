"""Methods that change a member's wallet."""

from __future__ import annotations

from typing import Any

from loyalty.rewards.v1 import rewards_pb2 as pb

from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    OfferId,
    RewardId,
    SaleId,
    SalonId,
)
from services.rewards.domain.rewards import Reward
from services.rewards.rpc import convert, parse
from services.rewards.usecases import coupons, placing, takes, uses, voids
from services.rewards.usecases.deps import Deps, RequestKey


class WalletMethods:
    """Take, use, restore and void."""

    _deps: Deps

    async def TakeReward(
        self, request: pb.TakeRewardRequest, context: Any
    ) -> pb.TakeRewardResponse:
        """Repeatable by key. Refuses with not_found, definition_retired, insufficient_points.

        With a sale also with what points says of it: counted, unknown, another member's.
        """
        salon_id = parse.maybe_id(request.salon_id, field="salon_id")
        sale_id = parse.maybe_id(request.sale_id, field="sale_id")
        answer = await takes.take_reward(
            self._deps,
            takes.TakeReward(
                request=parse.request_key(request, request.idempotency_key),
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                account_id=AccountId(parse.an_id(request.account_id, field="account_id")),
                member_id=MemberId(parse.an_id(request.member_id, field="member_id")),
                definition_id=DefinitionId(
                    parse.an_id(request.definition_id, field="definition_id")
                ),
                salon_id=None if salon_id is None else SalonId(salon_id),
                sale_id=None if sale_id is None else SaleId(sale_id),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.TakeRewardResponse(reward=self._reward(answer.reward), balance=answer.balance)

    async def TakeOffer(self, request: pb.TakeOfferRequest, context: Any) -> pb.TakeOfferResponse:
        """Repeatable by key, once a member and offer. Refuses with not_found, offer_not_running."""
        answer = await coupons.take_offer(
            self._deps,
            coupons.TakeOffer(
                request=parse.request_key(request, request.idempotency_key),
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                member_id=MemberId(parse.an_id(request.member_id, field="member_id")),
                offer_id=OfferId(parse.an_id(request.offer_id, field="offer_id")),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.TakeOfferResponse(
            reward=self._reward(answer.reward), already_taken=answer.already_taken
        )

    async def UseReward(self, request: pb.UseRewardRequest, context: Any) -> pb.UseRewardResponse:
        """Exactly one of any number of calls wins; the others get already_used.

        On an open sale only a till may use it; others get reward_on_sale.
        """
        member_id = parse.maybe_id(request.member_id, field="member_id")
        salon_id = parse.maybe_id(request.salon_id, field="salon_id")
        used = await uses.use_reward(
            self._deps,
            uses.UseReward(
                request=parse.request_key(request, request.idempotency_key),
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                reward_id=RewardId(parse.an_id(request.reward_id, field="reward_id")),
                member_id=None if member_id is None else MemberId(member_id),
                salon_id=None if salon_id is None else SalonId(salon_id),
                session_id=parse.session(request.session_id, required=False),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.UseRewardResponse(reward=self._reward(used))

    async def EndDisplay(
        self, request: pb.EndDisplayRequest, context: Any
    ) -> pb.EndDisplayResponse:
        """Repeatable. Refuses with not_found, not_redeemed, not_this_device."""
        member_id = parse.maybe_id(request.member_id, field="member_id")
        ended = await uses.end_display(
            self._deps,
            chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
            reward_id=RewardId(parse.an_id(request.reward_id, field="reward_id")),
            member_id=None if member_id is None else MemberId(member_id),
            session_id=parse.session(request.session_id, required=True),
        )
        return pb.EndDisplayResponse(reward=self._reward(ended))

    async def RestoreReward(
        self, request: pb.RestoreRewardRequest, context: Any
    ) -> pb.RestoreRewardResponse:
        """Repeatable by key. Refuses with not_found, not_redeemed, reward_expired."""
        key = None
        if request.idempotency_key:
            key = parse.request_key(request, request.idempotency_key)
        restored = await uses.restore_reward(
            self._deps,
            uses.RestoreReward(
                request=key,
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                reward_id=RewardId(parse.an_id(request.reward_id, field="reward_id")),
                actor=parse.actor(request.actor, required=True),
            ),
        )
        return pb.RestoreRewardResponse(reward=self._reward(restored))

    async def VoidReward(
        self, request: pb.VoidRewardRequest, context: Any
    ) -> pb.VoidRewardResponse:
        """Repeatable. Refuses with not_found, already_used, reward_voided, reward_expired."""
        reward_id = RewardId(parse.an_id(request.reward_id, field="reward_id"))
        answer = await voids.void_reward(
            self._deps,
            voids.VoidReward(
                request=_void_key(request, reward_id),
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                reward_id=reward_id,
                return_points=request.return_points,
                actor=parse.actor(request.actor, required=True),
            ),
        )
        return pb.VoidRewardResponse(reward=self._reward(answer.reward), balance=answer.balance)

    async def ApplyReward(
        self, request: pb.ApplyRewardRequest, context: Any
    ) -> pb.ApplyRewardResponse:
        """Repeatable. Refuses with reward_on_sale, with what a use refuses, and as points does."""
        placed = await placing.apply_reward(
            self._deps,
            placing.ApplyReward(
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                reward_id=RewardId(parse.an_id(request.reward_id, field="reward_id")),
                sale_id=SaleId(parse.an_id(request.sale_id, field="sale_id")),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.ApplyRewardResponse(reward=self._reward(placed))

    async def RemoveReward(
        self, request: pb.RemoveRewardRequest, context: Any
    ) -> pb.RemoveRewardResponse:
        """Repeatable. Refuses with not_found, already_used, and sale_counted as points does."""
        removed = await placing.remove_reward(
            self._deps,
            placing.RemoveReward(
                chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
                reward_id=RewardId(parse.an_id(request.reward_id, field="reward_id")),
                actor=parse.actor(request.actor),
            ),
        )
        return pb.RemoveRewardResponse(reward=self._reward(removed))

    def _reward(self, reward: Reward) -> pb.Reward:
        return convert.reward(reward, now=self._deps.clock.now(reward.chain_id))


def _void_key(request: pb.VoidRewardRequest, reward_id: RewardId) -> RequestKey:
    """The caller's key; without one the reward's id, since a reward is voided only once.

    Square's DELETE carries no key and is repeated by its client all the same.
    """
    return parse.request_key(request, request.idempotency_key or f"reward:{reward_id}")
