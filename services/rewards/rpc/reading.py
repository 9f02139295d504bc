"""Methods that only look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.moments import timestamp
from services.rewards.domain.errors import InvalidValue
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    MemberId,
    OfferId,
    RewardEventId,
    RewardId,
    SaleId,
    SalonId,
)
from services.rewards.domain.searches import EventPlace, EventSearch, RewardPlace, RewardSearch
from services.rewards.rpc import convert, cursors, parse
from services.rewards.usecases import coupons, reading
from services.rewards.usecases.deps import Deps


class ReadingMethods:
    """Wallets, searches and the feed."""

    _deps: Deps

    async def GetReward(self, request: pb.GetRewardRequest, context: Any) -> pb.GetRewardResponse:
        """Refuses with not_found."""
        chain_id = ChainId(parse.an_id(request.chain_id, field="chain_id"))
        found = await reading.get_reward(
            self._deps,
            chain_id=chain_id,
            reward_id=RewardId(parse.an_id(request.reward_id, field="reward_id")),
        )
        return pb.GetRewardResponse(
            reward=convert.reward(found, now=self._deps.clock.now(chain_id))
        )

    async def GetWallet(self, request: pb.GetWalletRequest, context: Any) -> pb.GetWalletResponse:
        """What stands in "Mes récompenses" now."""
        chain_id = ChainId(parse.an_id(request.chain_id, field="chain_id"))
        found = await reading.get_wallet(
            self._deps,
            chain_id=chain_id,
            member_id=MemberId(parse.an_id(request.member_id, field="member_id")),
        )
        now = self._deps.clock.now(chain_id)
        return pb.GetWalletResponse(rewards=[convert.reward(reward, now=now) for reward in found])

    async def SearchRewards(
        self, request: pb.SearchRewardsRequest, context: Any
    ) -> pb.SearchRewardsResponse:
        """Last changed first. Refuses with invalid_cursor, invalid_value."""
        account_id = parse.maybe_id(request.account_id, field="account_id")
        member_id = parse.maybe_id(request.member_id, field="member_id")
        wanted = RewardSearch(
            chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
            account_id=None if account_id is None else AccountId(account_id),
            member_id=None if member_id is None else MemberId(member_id),
            states=parse.states(request.statuses),
            limit=parse.limit(request.limit),
        )
        if request.cursor:
            wanted = replace(wanted, after=cursors.decode(request.cursor, wanted=wanted))
        found, more = await reading.search_rewards(self._deps, wanted)
        now = self._deps.clock.now(wanted.chain_id)
        cursor = ""
        if more:
            last = RewardPlace(updated_at=found[-1].updated_at, reward_id=found[-1].id)
            cursor = cursors.encode(wanted, place=last)
        return pb.SearchRewardsResponse(
            rewards=[convert.reward(reward, now=now) for reward in found], cursor=cursor
        )

    async def ListRewardEvents(
        self, request: pb.ListRewardEventsRequest, context: Any
    ) -> pb.ListRewardEventsResponse:
        """Newest first. Refuses with invalid_value."""
        page = await reading.list_events(self._deps, _event_search(request))
        return pb.ListRewardEventsResponse(
            events=[convert.reward_event(event) for event in page.events],
            more=page.more,
            horizon=timestamp(page.horizon) if page.horizon else None,
        )

    async def GetOfferTerms(
        self, request: pb.GetOfferTermsRequest, context: Any
    ) -> pb.GetOfferTermsResponse:
        """Which version of an offer is known here; 0 = none yet."""
        version = await coupons.known_offer_version(
            self._deps,
            chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
            offer_id=OfferId(parse.an_id(request.offer_id, field="offer_id")),
        )
        return pb.GetOfferTermsResponse(version=version)


def _event_search(request: pb.ListRewardEventsRequest) -> EventSearch:
    # `from` is a word of Python's.
    has_from, since = request.HasField("from"), getattr(request, "from")
    reward_id = parse.maybe_id(request.reward_id, field="reward_id")
    sale_id = parse.maybe_id(request.sale_id, field="sale_id")
    return EventSearch(
        chain_id=ChainId(parse.an_id(request.chain_id, field="chain_id")),
        account_ids=[AccountId(i) for i in parse.ids(request.account_ids, field="account_ids")],
        member_ids=[MemberId(i) for i in parse.ids(request.member_ids, field="member_ids")],
        salon_ids=[SalonId(i) for i in parse.ids(request.salon_ids, field="salon_ids")],
        kinds=parse.event_kinds(request.kinds),
        reward_id=None if reward_id is None else RewardId(reward_id),
        sale_id=None if sale_id is None else SaleId(sale_id),
        since=parse.moment(since, field="from") if has_from else None,
        until=parse.moment(request.to, field="to") if request.HasField("to") else None,
        before=_event_place(request),
        by_recording=request.by_recording,
        limit=parse.limit(request.limit),
    )


def _event_place(request: pb.ListRewardEventsRequest) -> EventPlace | None:
    if request.HasField("before_time") != bool(request.before_id):
        raise InvalidValue(field="before_id", params={"problem": "incomplete"})
    if not request.before_id:
        return None
    return EventPlace(
        at=parse.moment(request.before_time, field="before_time"),
        event_id=RewardEventId(parse.an_id(request.before_id, field="before_id")),
    )
