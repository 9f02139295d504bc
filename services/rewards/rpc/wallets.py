"""Methods that change a member's wallet."""

from __future__ import annotations

import asyncio
from typing import Any

from chassis.v1 import refusal_pb2
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis import grpc_server
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
    # For items of a batch; the server itself knows them for whole calls.
    _refusals: grpc_server.RefusalTable

    async def TakeReward(
        self, request: pb.TakeRewardRequest, context: Any
    ) -> pb.TakeRewardResponse:
        """Repeatable by key. Refuses with not_found, definition_retired, insufficient_points.

        With a sale also with what points says of it: counted, unknown, another member's.
        """
        return await self._take(request)

    async def _take(
        self, request: pb.TakeRewardRequest, *, patient: bool = True
    ) -> pb.TakeRewardResponse:
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
            patient=patient,
        )
        return pb.TakeRewardResponse(reward=self._reward(answer.reward), balance=answer.balance)

    async def TakeRewardBatch(
        self, request: pb.TakeRewardBatchRequest, context: Any
    ) -> pb.TakeRewardBatchResponse:
        """Each as `TakeReward`; they meet again where rows are written and points are asked.

        None waits for its twin, since all would wait with it: it gets still_settling.
        """
        items = parse.batch(request.items)
        answers = await asyncio.gather(
            *(self._take(item, patient=False) for item in items), return_exceptions=True
        )
        return pb.TakeRewardBatchResponse(
            outcomes=[
                pb.TakeRewardOutcome(taken=answer)
                if isinstance(answer, pb.TakeRewardResponse)
                else pb.TakeRewardOutcome(refusal=self._refusal("TakeRewardBatch", answer))
                for answer in answers
            ]
        )

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
        event = None if used.event is None else convert.reward_event(used.event)
        return pb.UseRewardResponse(reward=self._reward(used.reward), event=event)

    async def UseRewardBatch(
        self, request: pb.UseRewardBatchRequest, context: Any
    ) -> pb.UseRewardBatchResponse:
        """Each as `UseReward`; they meet again where rows are written."""
        items = parse.batch(request.items)
        answers = await asyncio.gather(
            *(self.UseReward(item, context) for item in items), return_exceptions=True
        )
        return pb.UseRewardBatchResponse(
            outcomes=[
                pb.UseRewardOutcome(used=answer)
                if isinstance(answer, pb.UseRewardResponse)
                else pb.UseRewardOutcome(refusal=self._refusal("UseRewardBatch", answer))
                for answer in answers
            ]
        )

    def _refusal(self, method: str, error: BaseException) -> refusal_pb2.Refusal:
        if not isinstance(error, Exception):
            raise error
        return grpc_server.item_refusal(method, error, self._refusals)

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
