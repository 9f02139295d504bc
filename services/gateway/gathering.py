"""What tills ask all day travels together: while calls are in flight the next requests gather.

One that arrives alone waits for nobody. Each keeps its own key, answer and refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

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

        async def count(items: Sequence[EarnItem], seconds: float) -> list[EarnOutcome]:
            answer = await clients.points.EarnPoints(
                EarnPointsRequest(items=items), timeout=seconds
            )
            return list(answer.outcomes)

        async def accounts_of(chain_id: str, ids: list[str], seconds: float) -> list[Account]:
            request = GetAccountsRequest(chain_id=chain_id, account_ids=ids)
            return list((await clients.points.GetAccounts(request, timeout=seconds)).accounts)

        async def members_of(chain_id: str, ids: list[str], seconds: float) -> list[Member]:
            request = FindMembersRequest(chain_id=chain_id, member_ids=ids)
            return list((await clients.enrollment.FindMembers(request, timeout=seconds)).members)

        async def accounts(names: Sequence[Name], seconds: float) -> list[Account | None]:
            calls = [accounts_of(*wanted, seconds) for wanted in _by_chain(names)]
            found = {
                (account.chain_id, account.id): account
                for some in await asyncio.gather(*calls)
                for account in some
            }
            return [found.get(name) for name in names]

        async def members(names: Sequence[Name], seconds: float) -> list[Member | None]:
            calls = [members_of(*wanted, seconds) for wanted in _by_chain(names)]
            found = {
                (member.chain_id, member.id): member
                for some in await asyncio.gather(*calls)
                for member in some
            }
            return [found.get(name) for name in names]

        async def take(
            items: Sequence[TakeRewardRequest], seconds: float
        ) -> list[TakeRewardResponse | Exception]:
            request = TakeRewardBatchRequest(items=items)
            answer = await clients.rewards.TakeRewardBatch(request, timeout=seconds)
            return [
                each.taken if each.HasField("taken") else item_refused(each.refusal)
                for each in answer.outcomes
            ]

        async def use(
            items: Sequence[UseRewardRequest], seconds: float
        ) -> list[UseRewardResponse | Exception]:
            request = UseRewardBatchRequest(items=items)
            answer = await clients.rewards.UseRewardBatch(request, timeout=seconds)
            return [
                each.used if each.HasField("used") else item_refused(each.refusal)
                for each in answer.outcomes
            ]

        return cls(
            earns=Gathering(
                "earns",
                count,
                full=_overloaded,
                seconds_max=DEADLINE_SECONDS,
                queue_items_max=queue_items_max,
            ),
            accounts=Gathering(
                "accounts",
                accounts,
                full=_overloaded,
                seconds_max=DEADLINE_SECONDS,
                call_items_max=READS_MAX,
                queue_items_max=queue_items_max,
            ),
            members=Gathering(
                "members",
                members,
                full=_overloaded,
                seconds_max=DEADLINE_SECONDS,
                call_items_max=READS_MAX,
                queue_items_max=queue_items_max,
            ),
            takes=Gathering(
                "takes",
                take,
                full=_overloaded,
                seconds_max=DEADLINE_SECONDS,
                in_flight_max=TAKES_IN_FLIGHT_MAX,
                queue_items_max=queue_items_max,
            ),
            uses=Gathering(
                "uses",
                use,
                full=_overloaded,
                seconds_max=DEADLINE_SECONDS,
                queue_items_max=queue_items_max,
            ),
        )


def _by_chain(names: Sequence[Name]) -> list[tuple[str, list[str]]]:
    """Each chain with its different ids."""
    chains: dict[str, dict[str, None]] = {}
    for chain_id, wanted in names:
        chains.setdefault(chain_id, {})[wanted] = None
    return [(chain_id, list(ids)) for chain_id, ids in chains.items()]
