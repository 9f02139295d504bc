"""Sales with their changes, the lots that they brought, and the rewards that are on them.

A sale's row is locked after its account's, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection
from services.points.domain.ids import (
    AccountId,
    ChainId,
    MemberId,
    PostingId,
    ProgramId,
    RewardId,
    SaleId,
    SalonId,
)
from services.points.domain.kept_sales import KeptChange, KeptSale, SaleState
from services.points.domain.lots import Lot
from services.points.domain.sales import Sale
from services.points.domain.terms import SettledSale
from services.points.storage.ledger import LOT_COLUMNS, lot_of
from services.points.storage.pricing_documents import (
    discount_document,
    discount_from,
    tax_document,
    tax_from,
)
from services.points.storage.sale_documents import (
    change_document,
    change_from,
    line_document,
    line_from,
    terms_document,
    terms_from,
    worth_document,
    worth_from,
)

_COLUMNS = """
chain_id, id, salon_id, member_id, account_id, program_id, state, currency, lines, discounts, taxes,
tip_minor, reference_id, occurred_at, dated, created_at, updated_at, counted_at, terms, worth,
expired_counted, version
"""

_INSERT = """
INSERT INTO sale (
    chain_id, id, salon_id, currency, tip_minor, reference_id, dated, created_at, member_id,
    account_id, program_id, state, lines, discounts, taxes, total_minor, tax_minor, discount_minor,
    updated_at, counted_at, terms, worth, expired_counted, version, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $23, $24, $25)
"""

_UPDATE = """
UPDATE sale
SET member_id = $3, account_id = $4, program_id = $5, state = $6, lines = $7, discounts = $8,
    taxes = $9, total_minor = $10, tax_minor = $11, discount_minor = $12, updated_at = $13,
    counted_at = $14, terms = $15, worth = $16, expired_counted = $17, version = $18,
    occurred_at = $19
WHERE chain_id = $1 AND id = $2 AND version = $18 - 1 AND state = $20
RETURNING 1
"""

_CHANGES = """
SELECT change, account_id, points, base_points, counts_at, posting_id, expired_before, forgiven,
       returned_reward_ids, occurred_at, recorded_at
FROM sale_change WHERE chain_id = $1 AND sale_id = $2 ORDER BY place
"""

_ADD_CHANGE = """
INSERT INTO sale_change (
    chain_id, sale_id, place, change_id, change, account_id, points, base_points, counts_at,
    posting_id, expired_before, forgiven, returned_reward_ids, occurred_at, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""

_OWN_LOTS = f"""
SELECT {LOT_COLUMNS}
FROM posting
JOIN lot ON lot.chain_id = posting.chain_id AND lot.posting_id = posting.id
WHERE posting.chain_id = $1 AND posting.sale_id = $2 AND posting.account_id = $3
  AND posting.kind IN ('earn', 'promotion') AND lot.account_id = $3
ORDER BY lot.expires_at, lot.earned_at, lot.id
"""  # noqa: S608

_OWN_EXPIRED = """
SELECT coalesce(sum(lot_use.points), 0)::bigint
FROM lot_use
JOIN posting ON posting.chain_id = lot_use.chain_id AND posting.id = lot_use.posting_id
WHERE lot_use.chain_id = $1 AND lot_use.lot_id = ANY($2::uuid[]) AND posting.kind = 'expiry'
"""

# Locks the row that is there, so that whoever puts the reward on a sale comes before or after.
_RETIRE_REWARD = """
INSERT INTO sale_reward (chain_id, reward_id, sale_id) VALUES ($1, $2, $3)
ON CONFLICT (chain_id, reward_id) DO UPDATE SET sale_id = sale_reward.sale_id
RETURNING sale_id
"""

_PUT_REWARD = """
INSERT INTO sale_reward AS held (chain_id, reward_id, sale_id) VALUES ($1, $2, $3)
ON CONFLICT (chain_id, reward_id) DO UPDATE SET sale_id = excluded.sale_id
WHERE EXISTS (
    SELECT FROM sale
    WHERE sale.chain_id = held.chain_id AND sale.id = held.sale_id AND sale.state = 'counted')
"""


# Stands for a reward whose points came back: no sale has this id.
NOWHERE = SaleId(UUID(int=0))


async def insert_sale(conn: Connection, kept: KeptSale) -> None:
    """Add a sale."""
    sale = kept.sale
    await conn.execute(
        _INSERT,
        sale.chain_id,
        sale.id,
        sale.salon_id,
        sale.currency,
        sale.tip_minor,
        kept.reference_id,
        kept.dated,
        kept.created_at,
        *_state_columns(kept),
    )


async def update_sale(conn: Connection, kept: KeptSale, *, was: SaleState) -> None:
    """Replace the version before this one, which must be in state `was`; the row must be locked."""
    sale = kept.sale
    row = await conn.fetchval(_UPDATE, sale.chain_id, sale.id, *_state_columns(kept), was.value)
    if row is None:
        raise InvariantViolated("a sale changed under its lock")


async def sale(conn: Connection, chain_id: ChainId, sale_id: SaleId) -> KeptSale | None:
    """One sale as it stands."""
    return await _read(conn, chain_id, sale_id, locked=False)


async def lock_sale(conn: Connection, chain_id: ChainId, sale_id: SaleId) -> KeptSale | None:
    """Lock one sale until the transaction ends; its account, if it has one, is locked before."""
    return await _read(conn, chain_id, sale_id, locked=True)


async def changes(conn: Connection, chain_id: ChainId, sale_id: SaleId) -> list[KeptChange]:
    """Refunds and exchanges of a sale in their order."""
    return [_change(row) for row in await conn.fetch(_CHANGES, chain_id, sale_id)]


async def add_change(
    conn: Connection, chain_id: ChainId, sale_id: SaleId, change: KeptChange, *, place: int
) -> None:
    """Write a refund or an exchange down. The sale must be locked."""
    await conn.execute(
        _ADD_CHANGE,
        chain_id,
        sale_id,
        place,
        change.change.id,
        change_document(change.change),
        change.account_id,
        change.points,
        change.base_points,
        change.counts_at,
        change.posting_id,
        change.expired_before,
        change.forgiven,
        list(change.returned_reward_ids),
        change.occurred_at,
        change.recorded_at,
    )


async def own_lots(
    conn: Connection, chain_id: ChainId, sale_id: SaleId, *, account_id: AccountId
) -> list[Lot]:
    """Lots that a sale and its exchanges brought, empty ones too. The account must be locked."""
    return [lot_of(row) for row in await conn.fetch(_OWN_LOTS, chain_id, sale_id, account_id)]


async def expired_of(conn: Connection, chain_id: ChainId, lots: list[Lot]) -> int:
    """What of some lots expiry has taken."""
    expired: int = await conn.fetchval(_OWN_EXPIRED, chain_id, [lot.id for lot in lots])
    return expired


async def put_reward(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId, sale_id: SaleId
) -> SaleId:
    """Say that a reward is on a sale; answers which one it is on, `NOWHERE` for good. Repeatable.

    A counted one does not hold it: rewards has given it back to its member since (LS-75).
    Who puts it on another sale, or undoes it, at this moment is waited for.
    """
    await conn.execute(_PUT_REWARD, chain_id, reward_id, sale_id)
    found = await conn.fetchval(
        "SELECT sale_id FROM sale_reward WHERE chain_id = $1 AND reward_id = $2",
        chain_id,
        reward_id,
    )
    return SaleId(found)


async def sale_of_reward(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId
) -> SaleId | None:
    """The sale that a reward is on as it stands; None where it is on none. Locks nothing."""
    found = await conn.fetchval(
        "SELECT sale_id FROM sale_reward WHERE chain_id = $1 AND reward_id = $2 AND sale_id <> $3",
        chain_id,
        reward_id,
        NOWHERE,
    )
    return SaleId(found) if found else None


async def retire_reward(
    conn: Connection, *, chain_id: ChainId, reward_id: RewardId
) -> SaleId | None:
    """Keep a reward off every sale for good, from the end of this transaction on. Repeatable.

    Answers the sale that it is on, which `leave_for_good` takes it off.
    """
    found = await conn.fetchval(_RETIRE_REWARD, chain_id, reward_id, NOWHERE)
    return None if found == NOWHERE else SaleId(found)


async def leave_for_good(conn: Connection, *, chain_id: ChainId, reward_id: RewardId) -> None:
    """A reward that is retired is on its sale no more."""
    await conn.execute(
        "UPDATE sale_reward SET sale_id = $3 WHERE chain_id = $1 AND reward_id = $2",
        chain_id,
        reward_id,
        NOWHERE,
    )


async def drop_rewards(
    conn: Connection, *, chain_id: ChainId, sale_id: SaleId, reward_ids: Sequence[RewardId]
) -> tuple[RewardId, ...]:
    """Say that rewards are not on a sale any more; answers those that were. It must be locked.

    Not there is one that went on another sale since, or whose points came back (LS-75).
    """
    if not reward_ids:
        return ()
    rows = await conn.fetch(
        "DELETE FROM sale_reward"
        " WHERE chain_id = $1 AND reward_id = ANY($2::uuid[]) AND sale_id = $3"
        " RETURNING reward_id",
        chain_id,
        list(reward_ids),
        sale_id,
    )
    dropped = {row["reward_id"] for row in rows}
    return tuple(reward_id for reward_id in reward_ids if reward_id in dropped)


async def _read(
    conn: Connection, chain_id: ChainId, sale_id: SaleId, *, locked: bool
) -> KeptSale | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM sale WHERE chain_id = $1 AND id = $2"  # noqa: S608
        + (" FOR UPDATE" if locked else ""),
        chain_id,
        sale_id,
    )
    return _kept(row) if row else None


def _state_columns(kept: KeptSale) -> tuple[object, ...]:
    """What may differ from one version to the next, in the order of both statements."""
    sale, settled = kept.sale, kept.settled
    return (
        kept.member_id,
        sale.account_id,
        kept.program_id,
        kept.state.value,
        [line_document(line) for line in sale.lines],
        [discount_document(named) for named in kept.discounts],
        [tax_document(named) for named in kept.taxes],
        sale.paid_minor,
        kept.tax_minor,
        kept.discount_minor,
        kept.updated_at,
        kept.counted_at,
        terms_document(settled.terms) if settled else None,
        worth_document(settled.worth) if settled else None,
        kept.expired_counted,
        kept.version,
        sale.occurred_at,
    )


def _kept(row: asyncpg.Record) -> KeptSale:
    account_id, member_id, program_id = row["account_id"], row["member_id"], row["program_id"]
    discounts = tuple(discount_from(document) for document in row["discounts"])
    sold = Sale(
        chain_id=ChainId(row["chain_id"]),
        id=SaleId(row["id"]),
        account_id=AccountId(account_id) if account_id else None,
        salon_id=SalonId(row["salon_id"]),
        currency=row["currency"],
        occurred_at=row["occurred_at"],
        lines=tuple(line_from(document) for document in row["lines"]),
        tip_minor=row["tip_minor"],
        discounts=tuple(named.discount for named in discounts),
    )
    settled = None
    if row["terms"] is not None:
        settled = SettledSale(
            sale=sold, terms=terms_from(row["terms"]), worth=worth_from(row["worth"])
        )
    return KeptSale(
        sale=sold,
        member_id=MemberId(member_id) if member_id else None,
        program_id=ProgramId(program_id) if program_id else None,
        state=SaleState(row["state"]),
        discounts=discounts,
        taxes=tuple(tax_from(document) for document in row["taxes"]),
        reference_id=row["reference_id"],
        dated=row["dated"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        counted_at=row["counted_at"],
        settled=settled,
        expired_counted=row["expired_counted"],
        version=row["version"],
    )


def _change(row: asyncpg.Record) -> KeptChange:
    account_id, posting_id = row["account_id"], row["posting_id"]
    return KeptChange(
        change=change_from(row["change"]),
        account_id=AccountId(account_id) if account_id else None,
        points=row["points"],
        base_points=row["base_points"],
        counts_at=row["counts_at"],
        posting_id=PostingId(posting_id) if posting_id else None,
        expired_before=row["expired_before"],
        forgiven=row["forgiven"],
        returned_reward_ids=tuple(RewardId(each) for each in row["returned_reward_ids"]),
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
    )
