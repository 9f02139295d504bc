"""Many takes paid for in one transaction, each with its own answer or refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.chassis import outbox
from services.chassis.errors import KeyReused, Unavailable
from services.chassis.postgres import Connection, in_transaction
from services.points import events, metrics
from services.points.domain import ledger, lots
from services.points.domain.earning import require_items, require_points
from services.points.domain.errors import AccountUnknown, Refusal
from services.points.domain.ids import ChainId
from services.points.domain.ledger import ENTRY_POINTS_MAX, Account, Entry, Movement
from services.points.domain.lots import Lot
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.usecases import overdue
from services.points.usecases.deps import Deps
from services.points.usecases.earn_items import AccountName
from services.points.usecases.earn_queue import BATCH_ITEMS_MAX
from services.points.usecases.paying import Debit, debit_points, fact_of


async def debit_many(deps: Deps, wanted: Sequence[Debit | Refusal]) -> list[Entry | Exception]:
    """Take the points of many rewards; answers in their order, refusals in their places.

    What could not even be read stands in `wanted` as a refusal already. Repeatable by reward.
    Locks the accounts in order of id. Refuses each item with what `debit_points` refuses. When the
    transaction of all fails, each is done alone, so that one harms only itself; so is one that
    goes on a sale, for that is locked too.
    """
    require_items(len(wanted), items_max=BATCH_ITEMS_MAX)
    debits = [each for each in wanted if isinstance(each, Debit) and each.sale_id is None]

    async def work(conn: Connection) -> tuple[list[Entry | Exception], int]:
        return await _Batch(deps, conn, debits).run()

    try:
        answers, points = await in_transaction(deps.pool, work)
        metrics.POINTS_DEBITED_TOTAL.inc(points)
    except Unavailable:
        raise
    except Exception:
        answers = [await _alone(deps, debit) for debit in debits]
    in_order = iter(answers)
    results: list[Entry | Exception] = []
    for each in wanted:
        if isinstance(each, Refusal):
            results.append(each)
        else:
            alone = each.sale_id is not None
            results.append(await _alone(deps, each) if alone else next(in_order))
    return results


async def _alone(deps: Deps, debit: Debit) -> Entry | Exception:
    try:
        return await debit_points(deps, debit)
    except Exception as error:
        return error


class _Batch:
    """The steps of one batch: lock, expire, look up, decide, write."""

    def __init__(self, deps: Deps, conn: Connection, debits: Sequence[Debit]) -> None:
        self.deps = deps
        self.conn = conn
        self.debits = debits
        self.accounts: dict[AccountName, Account] = {}
        self.lots: dict[AccountName, list[Lot]] = {}
        # By chain and business key: what stood before, and what this batch adds.
        self.entries: dict[tuple[ChainId, str], Entry] = {}
        self.movements: list[Movement] = []

    async def run(self) -> tuple[list[Entry | Exception], int]:
        """Entries and refusals in order, and how many points have left now."""
        self.accounts = await account_rows.lock_accounts(
            self.conn, [_name(debit) for debit in self.debits]
        )
        await self._post_overdue()
        keys = [(debit.chain_id, ledger.reward_debit_key(debit.reward_id)) for debit in self.debits]
        self.entries = await ledger_rows.entries_by_business_key(self.conn, keys)
        wanted: dict[AccountName, int] = {}
        for debit in self.debits:
            name = _name(debit)
            if name in self.accounts and 0 < debit.points <= ENTRY_POINTS_MAX:
                wanted[name] = wanted.get(name, 0) + debit.points
        self.lots = await ledger_rows.open_lots_of_many(self.conn, wanted)
        results = [self._answer(debit) for debit in self.debits]
        recorded = await ledger_rows.write(self.conn, self.movements)
        await outbox.append(
            self.conn, [events.points_posted(movement.entry) for movement in self.movements]
        )
        results = [
            replace(result, recorded_at=recorded.get(result.posting.id, result.recorded_at))
            if isinstance(result, Entry)
            else result
            for result in results
        ]
        return results, sum(movement.posting.points for movement in self.movements)

    async def _post_overdue(self) -> None:
        """What has ended can pay for nothing any more (D8)."""
        settled = await overdue.settle(self.deps, self.conn, self.accounts.values())
        movements = [movement for each in settled.values() for movement in each.movements]
        await ledger_rows.write(self.conn, movements)
        await outbox.append(
            self.conn, [events.points_posted(movement.entry) for movement in movements]
        )
        self.accounts |= {name: each.account for name, each in settled.items()}

    def _answer(self, debit: Debit) -> Entry | Exception:
        try:
            return self._debit(debit)
        except (Refusal, KeyReused) as refusal:
            return refusal

    def _debit(self, debit: Debit) -> Entry:
        require_points(debit.points, minimum=1, maximum=ENTRY_POINTS_MAX)
        name = _name(debit)
        account = self.accounts.get(name)
        if account is None:
            raise AccountUnknown
        key = ledger.reward_debit_key(debit.reward_id)
        earlier = self.entries.get((debit.chain_id, key))
        if earlier is not None:
            posting = earlier.posting
            paid = (posting.account_id, posting.points, posting.sale_id)
            if paid != (account.id, debit.points, debit.sale_id):
                raise KeyReused
            return earlier
        movement = ledger.debit(
            account,
            points=debit.points,
            reward_id=debit.reward_id,
            open_lots=self.lots[name],
            fact=fact_of(self.deps, debit, key),
        )
        self.movements.append(movement)
        self.accounts[name] = movement.after
        self.lots[name] = lots.after(self.lots[name], movement.lots.uses)
        self.entries[debit.chain_id, key] = movement.entry
        return movement.entry


def _name(debit: Debit) -> AccountName:
    return (debit.chain_id, debit.account_id)
