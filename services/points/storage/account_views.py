"""Accounts as people see them: with what ends, and where they stand on their program's ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import asyncpg

from services.chassis.postgres import Connection
from services.points.domain.chains import UNHEARD
from services.points.domain.expiry import Ending
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.ledger import Account
from services.points.domain.tiers import Ladder
from services.points.storage.accounts import ACCOUNT_COLUMNS, account_of
from services.points.storage.standings import Place, standing_of
from services.points.storage.tier_documents import tier_from

# One statement, and so one moment: a balance and the lots that end are of the same ledger. Lots
# are looked at only where some end, standings only where there is a ladder.
_VIEWS = f"""
SELECT {ACCOUNT_COLUMNS}, program.tiers, program.tiers_launched_at,
       standing.tier_id, standing.threshold, standing.entered_at, standing.founded_at,
       standing.kept_until, standing.before,
       coalesce(chain.home_time_zone, $3) AS time_zone,
       ending.points AS ending_points, ending.ends, ending.zones
FROM unnest($2::uuid[]) WITH ORDINALITY AS asked (id, place)
JOIN account ON account.chain_id = $1 AND account.id = asked.id
JOIN program ON program.chain_id = $1 AND program.id = account.program_id
LEFT JOIN chain ON chain.chain_id = $1
LEFT JOIN tier_standing AS standing
    ON standing.chain_id = $1 AND standing.account_id = account.id
    AND program.tiers_launched_at IS NOT NULL
CROSS JOIN LATERAL (
    SELECT array_agg(lot.points) AS points, array_agg(lot.expires_at) AS ends,
           array_agg(lot.time_zone) AS zones
    FROM (
        SELECT sum(lot.remaining)::bigint AS points, lot.expires_at, salon.time_zone
        FROM lot
        LEFT JOIN salon ON salon.chain_id = lot.chain_id AND salon.id = lot.salon_id
        WHERE account.expiry_due IS NOT NULL
          AND lot.chain_id = $1 AND lot.account_id = account.id
          AND lot.remaining > 0 AND lot.expires_at IS NOT NULL
        GROUP BY lot.expires_at, salon.time_zone
    ) AS lot
) AS ending
ORDER BY asked.place
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account with what it holds that ends, and its place on a ladder, if there is one."""

    account: Account
    endings: tuple[Ending, ...]
    ladder: Ladder | None
    place: Place


async def account_rows(
    conn: Connection, chain_id: ChainId, account_ids: Sequence[AccountId]
) -> list[AccountRow]:
    """Accounts in the order asked for, as of one moment; unknown ones are left out."""
    if not account_ids:
        return []
    rows = await conn.fetch(_VIEWS, chain_id, account_ids, UNHEARD.home_time_zone)
    return [_account_row(row) for row in rows]


def _account_row(row: asyncpg.Record) -> AccountRow:
    home, launched_at = row["time_zone"], row["tiers_launched_at"]
    ladder = None
    if launched_at is not None:
        ladder = Ladder(
            tiers=tuple(tier_from(tier) for tier in row["tiers"]), launched_at=launched_at
        )
    return AccountRow(
        account=account_of(row),
        endings=tuple(
            Ending(points=points, expires_at=end, zone=ZoneInfo(zone or home))
            for points, end, zone in zip(
                row["ending_points"] or (), row["ends"] or (), row["zones"] or (), strict=True
            )
        ),
        ladder=ladder,
        place=Place(standing=standing_of(row) if row["tier_id"] else None, zone=ZoneInfo(home)),
    )
