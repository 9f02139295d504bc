"""What a member holds with a chain, read from three services at once and put in a page's shape."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.enrollment.v1.enrollment_pb2 import Salon
from loyalty.points.v1.points_pb2 import (
    ACCRUAL_TYPE_SPEND,
    ENTRY_KIND_EARN,
    Account,
    ExpiringPoints,
    ListEntriesRequest,
    ListProgramsRequest,
    OpenAccountRequest,
    Program,
    SearchAccountsRequest,
)
from loyalty.rewards.v1.rewards_pb2 import (
    GetWalletRequest,
    ListRewardDefinitionsRequest,
    Reward,
    RewardDefinition,
)

from services.gateway.clients import Clients
from services.gateway.deps import Deps
from services.gateway.ladder import Rung, rung_of

# More circles than this are a pattern, not a count.
STAMPS_MAX = 20
ACCOUNTS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsCard:
    """One program as its member sees it."""

    program: Program
    balance: int
    definitions: Sequence[RewardDefinition]
    # None where she has not begun to collect.
    account: Account | None = None

    def rung(self, language: str, zone_name: str) -> Rung | None:
        """Her tier with its bonus and the way to the next one (SQ-05)."""
        return rung_of(self.account, language=language, zone=ZoneInfo(zone_name))

    @property
    def expiring(self) -> Sequence[ExpiringPoints]:
        """What will end, soonest first (SQ-68)."""
        return self.account.expiring if self.account else ()

    @property
    def next_definition(self) -> RewardDefinition | None:
        """The cheapest reward that the balance does not reach yet; the dearest one when it does."""
        above = [definition for definition in self.definitions if definition.points > self.balance]
        if above:
            return above[0]
        return self.definitions[-1] if self.definitions else None

    @property
    def goal(self) -> int:
        """What the card counts towards; new thresholds act on old points (SQ-48)."""
        wanted = self.next_definition
        return wanted.points if wanted else 0

    @property
    def missing(self) -> int:
        """Points until the next reward; 0 when every reward can be taken."""
        return max(0, self.goal - self.balance)

    @property
    def shows_stamps(self) -> bool:
        """Stamps for visits, a bar for dollars and for long roads."""
        counts_dollars = self.program.accrual_type == ACCRUAL_TYPE_SPEND
        return 0 < self.goal <= STAMPS_MAX and not counts_dollars

    @property
    def stamps(self) -> list[bool]:
        """The circles of the card; true = stamped."""
        return [place < self.balance for place in range(self.goal)]

    @property
    def bar_value(self) -> int:
        """How much of the bar is full, between 0 and the goal."""
        return min(max(self.balance, 0), self.goal)

    def can_take(self, definition: RewardDefinition) -> bool:
        """Whether "Prendre" stands beside this reward (LS-29)."""
        return self.balance >= definition.points

    def term(self, number: int, language: str) -> str:
        """The program's own word for this many points."""
        singular = abs(number) < 2 if language == "fr" else abs(number) == 1
        return self.program.term_one if singular else self.program.term_other

    @property
    def takeable(self) -> list[RewardDefinition]:
        """Every reward that the balance affords."""
        return [definition for definition in self.definitions if self.can_take(definition)]


async def active_programs(clients: Clients, chain_id: str) -> list[Program]:
    """The chain's running programs; the default one leads."""
    answer = await clients.points.ListPrograms(ListProgramsRequest(chain_id=chain_id))
    return [program for program in answer.programs if program.active]


async def definitions_of(clients: Clients, chain_id: str) -> list[RewardDefinition]:
    """What the chain offers for points, cheapest first."""
    request = ListRewardDefinitionsRequest(chain_id=chain_id)
    answer = await clients.rewards.ListRewardDefinitions(request)
    return [definition for definition in answer.definitions if not definition.deleted]


async def _accounts(clients: Clients, chain_id: str, member_id: str) -> dict[str, Account]:
    request = SearchAccountsRequest(chain_id=chain_id, member_ids=[member_id], limit=ACCOUNTS_MAX)
    answer = await clients.points.SearchAccounts(request)
    return {account.program_id: account for account in answer.accounts}


async def points_cards(clients: Clients, chain_id: str, member_id: str) -> list[PointsCard]:
    """The member's card of each running program; the default one leads.

    Without a member the cards are empty ones: what a visitor could collect.
    """
    async with asyncio.TaskGroup() as group:
        programs = group.create_task(active_programs(clients, chain_id))
        definitions = group.create_task(definitions_of(clients, chain_id))
        if member_id:
            accounts = group.create_task(_accounts(clients, chain_id, member_id))
    held = accounts.result() if member_id else {}
    return [
        PointsCard(
            program=program,
            balance=held[program.id].balance if program.id in held else 0,
            account=held.get(program.id),
            definitions=[one for one in definitions.result() if one.program_id == program.id],
        )
        for program in programs.result()
    ]


async def account_of(
    clients: Clients, chain_id: str, *, member_id: str, program_id: str
) -> Account:
    """The member's account in a program, opened if need be."""
    answer = await clients.points.OpenAccount(
        OpenAccountRequest(chain_id=chain_id, member_id=member_id, program_id=program_id)
    )
    return answer.account


async def wallet_of(clients: Clients, chain_id: str, member_id: str) -> list[Reward]:
    """What "Mes récompenses" lists: rewards and coupons to use, and those being shown."""
    request = GetWalletRequest(chain_id=chain_id, member_id=member_id)
    return list((await clients.rewards.GetWallet(request)).rewards)


async def salons_of(deps: Deps, chain_id: str) -> list[Salon]:
    """The chain's open salons."""
    return [salon for salon in await deps.salons.of(chain_id) if salon.active]


async def salon_of_today(
    clients: Clients, chain_id: str, member_id: str, salons: Sequence[Salon]
) -> Salon | None:
    """Where she is: the only salon, or the one of her last earn if that was today there (D23)."""
    if len(salons) == 1:
        return salons[0]
    answer = await clients.points.ListEntries(
        ListEntriesRequest(
            chain_id=chain_id, member_ids=[member_id], kinds=[ENTRY_KIND_EARN], limit=1
        )
    )
    if not answer.entries:
        return None
    last = answer.entries[0]
    known = {salon.id: salon for salon in salons}
    salon = known.get(last.salon_id)
    if salon is None:
        return None
    # The day is the salon's own. A sandbox chain's clock may run ahead of ours, never behind.
    zone = ZoneInfo(salon.time_zone)
    earned = last.occurred_at.ToDatetime(UTC).astimezone(zone).date()
    return salon if earned >= datetime.now(zone).date() else None


def is_shown(reward: Reward) -> bool:
    """Whether a used reward is in its five minutes."""
    return reward.display_seconds_left > 0


def last_usable_day(reward: Reward, zone: ZoneInfo) -> str:
    """The last day of a coupon as "YYYY-MM-DD", in the chain's zone; empty = no end."""
    if not reward.HasField("expires_at"):
        return ""
    end = reward.expires_at.ToDatetime(UTC) - timedelta(microseconds=1)
    return end.astimezone(zone).date().isoformat()
