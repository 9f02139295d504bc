"""What tills ask all day travels together: while calls are in flight the next requests gather.

One that arrives alone waits for nobody. Each keeps its own key, answer and refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias, TypedDict

from loyalty.enrollment.v1.enrollment_pb2 import FindMembersRequest, Member
from loyalty.points.v1.points_pb2 import (
    Account,
    EarnItem,
    EarnOutcome,
    EarnPointsRequest,
    GetAccountsRequest,
)
from loyalty.rewards.v1.rewards_pb2 import (
    TakeRewardBatchRequest,
    TakeRewardRequest,
    TakeRewardResponse,
    UseRewardBatchRequest,
    UseRewardRequest,
    UseRewardResponse,
)

from services.chassis.gathering import Gathering
from services.chassis.grpc_client import DEADLINE_SECONDS, item_refused
from services.gateway.clients import Clients
from services.gateway.errors import ApiError

# As many as points and enrollment answer in one call.
READS_MAX: Final = 200
# Some hundred milliseconds of work: whoever comes later is better told to come again.
QUEUE_ITEMS_MAX: Final = 2048
# A take waits for two services in turn: others set out meanwhile.
TAKES_IN_FLIGHT_MAX: Final = 4

# Chain and id.
Name: TypeAlias = tuple[str, str]


def _overloaded() -> ApiError:
    return ApiError.of("OVERLOADED", retry_after_seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The ways of this process on which requests travel together.

    Each refuses with OVERLOADED when too many wait, and raises what a call of its own would.
    """

    earns: Gathering[EarnItem, EarnOutcome]
    # None: there is none under this id in this chain.
    accounts: Gathering[Name, Account | None]
    members: Gathering[Name, Member | None]
    takes: Gathering[TakeRewardRequest, TakeRewardResponse]
    uses: Gathering[UseRewardRequest, UseRewardResponse]

    @classmethod
    def over(cls, clients: Clients, *, queue_items_max: int = QUEUE_ITEMS_MAX) -> Self:
        """The ways to these services."""
        calls = _Calls(clients)
        common: _Common = {
            "full": _overloaded,
            "seconds_max": DEADLINE_SECONDS,
            "queue_items_max": queue_items_max,
        }
        return cls(
            earns=Gathering("earns", calls.count, **common),
            accounts=Gathering("accounts", calls.accounts, call_items_max=READS_MAX, **common),
            members=Gathering("members", calls.members, call_items_max=READS_MAX, **common),
            takes=Gathering(
                "takes",
                calls.take,
                in_flight_max=TAKES_IN_FLIGHT_MAX,
                beside_items_min=1,
                **common,
            ),
            uses=Gathering("uses", calls.use, **common),
        )


class _Common(TypedDict):
    """What all ways have in common."""

    full: Callable[[], Exception]
    seconds_max: float
    queue_items_max: int


class _Calls:
    """One call for many requests, each answered in its place."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def count(self, items: Sequence[EarnItem], seconds: float) -> list[EarnOutcome]:
        request = EarnPointsRequest(items=items)
        answer = await self._clients.points.EarnPoints(request, timeout=seconds)
        return list(answer.outcomes)

    async def accounts(self, names: Sequence[Name], seconds: float) -> list[Account | None]:
        async def ask(chain_id: str, ids: list[str]) -> Sequence[Account]:
            request = GetAccountsRequest(chain_id=chain_id, account_ids=ids)
            return (await self._clients.points.GetAccounts(request, timeout=seconds)).accounts

        some = await asyncio.gather(*(ask(*wanted) for wanted in _by_chain(names)))
        found = {(each.chain_id, each.id): each for answered in some for each in answered}
        return [found.get(name) for name in names]

    async def members(self, names: Sequence[Name], seconds: float) -> list[Member | None]:
        async def ask(chain_id: str, ids: list[str]) -> Sequence[Member]:
            request = FindMembersRequest(chain_id=chain_id, member_ids=ids)
            return (await self._clients.enrollment.FindMembers(request, timeout=seconds)).members

        some = await asyncio.gather(*(ask(*wanted) for wanted in _by_chain(names)))
        found = {(each.chain_id, each.id): each for answered in some for each in answered}
        return [found.get(name) for name in names]

    async def take(
        self, items: Sequence[TakeRewardRequest], seconds: float
    ) -> list[TakeRewardResponse | Exception]:
        request = TakeRewardBatchRequest(items=items)
        answer = await self._clients.rewards.TakeRewardBatch(request, timeout=seconds)
        return [
            each.taken if each.HasField("taken") else item_refused(each.refusal)
            for each in answer.outcomes
        ]

    async def use(
        self, items: Sequence[UseRewardRequest], seconds: float
    ) -> list[UseRewardResponse | Exception]:
        request = UseRewardBatchRequest(items=items)
        answer = await self._clients.rewards.UseRewardBatch(request, timeout=seconds)
        return [
            each.used if each.HasField("used") else item_refused(each.refusal)
            for each in answer.outcomes
        ]


def _by_chain(names: Sequence[Name]) -> list[tuple[str, list[str]]]:
    """Each chain with its different ids."""
    chains: dict[str, dict[str, None]] = {}
    for chain_id, wanted in names:
        chains.setdefault(chain_id, {})[wanted] = None
    return [(chain_id, list(ids)) for chain_id, ids in chains.items()]
