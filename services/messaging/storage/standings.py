"""What points last told of members and programs: the newest news of each wins."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.standing import (
    AccountId,
    Balance,
    MemberAccount,
    ProgramCopy,
    ProgramId,
    SalonId,
    TierMove,
)

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


async def put_balance(conn: Connection, news: Balance) -> bool:
    """Keep what an account holds; locks its row. False when something newer is already here.

    An account that has just been opened is told with sequence 0.
    """
    stored = await conn.fetchval(
        """
        INSERT INTO member_account AS kept
            (chain_id, account_id, member_id, program_id, balance, sequence)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (chain_id, account_id) DO UPDATE
            SET member_id = excluded.member_id, balance = excluded.balance,
                sequence = excluded.sequence, recorded_at = now()
            WHERE kept.sequence < excluded.sequence
        RETURNING true
        """,
        news.chain_id,
        news.account_id,
        news.member_id,
        news.program_id,
        news.balance,
        news.sequence,
    )
    return stored is not None


async def put_tier(conn: Connection, news: TierMove) -> bool:
    """Keep the tier of an account; locks its row. False when a later change is already here."""
    stored = await conn.fetchval(
        """
        INSERT INTO member_account AS kept
            (chain_id, account_id, member_id, program_id, tier_id, tier_name, tier_changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (chain_id, account_id) DO UPDATE
            SET tier_id = excluded.tier_id, tier_name = excluded.tier_name,
                tier_changed_at = excluded.tier_changed_at, recorded_at = now()
            WHERE kept.tier_changed_at IS NULL OR kept.tier_changed_at < excluded.tier_changed_at
        RETURNING true
        """,
        news.chain_id,
        news.account_id,
        news.member_id,
        news.program_id,
        news.tier_id,
        news.tier_name,
        news.occurred_at,
    )
    return stored is not None


async def note_visit(
    conn: Connection,
    chain_id: ChainId,
    member_id: MemberId,
    *,
    salon_id: SalonId | None,
    at: datetime,
    earned_by: str | None = None,
) -> bool:
    """Note that a member was here; an older visit that is told late moves nothing.

    Whether `earned_by`, a posting or a sale, brought her first points: the first one told does, and
    is answered alike for ever. One statement: this runs for every earn.
    """
    first: bool | None = await conn.fetchval(
        """
        WITH salon AS (
            INSERT INTO member_salon AS kept (chain_id, member_id, salon_id, last_visit_at)
            SELECT $1, $2, $3::uuid, $4 WHERE $3::uuid IS NOT NULL
            ON CONFLICT (chain_id, member_id, salon_id) DO UPDATE
                SET last_visit_at = excluded.last_visit_at
                WHERE kept.last_visit_at < excluded.last_visit_at
        )
        INSERT INTO member_standing AS kept (chain_id, member_id, last_visit_at, first_earn)
        VALUES ($1, $2, $4, $5)
        ON CONFLICT (chain_id, member_id) DO UPDATE
            SET last_visit_at = greatest(kept.last_visit_at, excluded.last_visit_at),
                first_earn = coalesce(kept.first_earn, excluded.first_earn), recorded_at = now()
        RETURNING first_earn = $5
        """,
        chain_id,
        member_id,
        salon_id,
        at,
        earned_by,
    )
    return bool(first)


async def put_program(conn: Connection, program: ProgramCopy) -> bool:
    """Keep a program's newest state; False when a newer one is already here."""
    stored = await conn.fetchval(
        """
        INSERT INTO program_copy AS kept
            (chain_id, program_id, name, term_one, term_other, active, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (chain_id, program_id) DO UPDATE
            SET name = excluded.name, term_one = excluded.term_one,
                term_other = excluded.term_other, active = excluded.active,
                version = excluded.version
            WHERE kept.version < excluded.version
        RETURNING true
        """,
        program.chain_id,
        program.program_id,
        program.name,
        program.term_one,
        program.term_other,
        program.active,
        program.version,
    )
    return stored is not None


async def find_program(
    conn: Connection, chain_id: ChainId, program_id: ProgramId
) -> ProgramCopy | None:
    """A program, when its event has arrived."""
    row = await conn.fetchrow(
        """
        SELECT name, term_one, term_other, active, version FROM program_copy
        WHERE chain_id = $1 AND program_id = $2
        """,
        chain_id,
        program_id,
    )
    if row is None:
        return None
    return ProgramCopy(
        chain_id=chain_id,
        program_id=program_id,
        name=row["name"],
        term_one=row["term_one"],
        term_other=row["term_other"],
        active=row["active"],
        version=row["version"],
    )


async def default_program(conn: Connection, chain_id: ChainId) -> ProgramCopy | None:
    """The running program that came first."""
    program_id = await conn.fetchval(
        """
        SELECT program_id FROM program_copy WHERE chain_id = $1 AND active
        ORDER BY recorded_at, program_id LIMIT 1
        """,
        chain_id,
    )
    return None if program_id is None else await find_program(conn, chain_id, program_id)


async def accounts_of(
    conn: Connection, chain_id: ChainId, member_id: MemberId
) -> list[MemberAccount]:
    """A member's accounts in running programs, the one with most points first."""
    rows = await conn.fetch(
        """
        SELECT account_id, member_account.program_id, balance, tier_name,
               coalesce(program_copy.name, '') AS program_name,
               coalesce(term_one, '') AS term_one, coalesce(term_other, '') AS term_other
        FROM member_account LEFT JOIN program_copy USING (chain_id, program_id)
        WHERE chain_id = $1 AND member_id = $2 AND coalesce(program_copy.active, true)
        ORDER BY balance DESC, account_id
        """,
        chain_id,
        member_id,
    )
    return [
        MemberAccount(
            account_id=AccountId(row["account_id"]),
            program_id=ProgramId(row["program_id"]),
            balance=row["balance"],
            tier_name=row["tier_name"],
            program_name=row["program_name"],
            term_one=row["term_one"],
            term_other=row["term_other"],
        )
        for row in rows
    ]


async def forget(conn: Connection, chain_id: ChainId, member_id: MemberId) -> None:
    """Forget what an erased member did; her accounts stay, for they bear no trace of her."""
    await conn.execute(
        "DELETE FROM member_salon WHERE chain_id = $1 AND member_id = $2", chain_id, member_id
    )
    await conn.execute(
        "UPDATE member_standing SET last_visit_at = NULL WHERE chain_id = $1 AND member_id = $2",
        chain_id,
        member_id,
    )
