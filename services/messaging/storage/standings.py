"""What points last told of members and programs: the newest news of each wins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeAlias

from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.standing import (
    AccountId,
    Balance,
    MemberAccount,
    ProgramCopy,
    ProgramId,
    TierMove,
    Visit,
)
from services.messaging.storage.contacts import MemberKey

if TYPE_CHECKING:
    from services.chassis.postgres import Connection

AccountKey: TypeAlias = tuple[ChainId, AccountId]
ProgramKey: TypeAlias = tuple[ChainId, ProgramId]


async def put_balances(conn: Connection, news: Sequence[Balance]) -> None:
    """Keep what accounts hold; locks their rows. What is newer and already here stays.

    An account that has just been opened is told with sequence 0.
    """
    if not news:
        return
    await conn.execute(
        """
        INSERT INTO member_account AS kept
            (chain_id, account_id, member_id, program_id, balance, sequence)
        SELECT DISTINCT ON (chain_id, account_id)
               chain_id, account_id, member_id, program_id, balance, sequence
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[])
             WITH ORDINALITY AS told
             (chain_id, account_id, member_id, program_id, balance, sequence, place)
        ORDER BY chain_id, account_id, sequence DESC, place
        ON CONFLICT (chain_id, account_id) DO UPDATE
            SET member_id = excluded.member_id, balance = excluded.balance,
                sequence = excluded.sequence, recorded_at = now()
            WHERE kept.sequence < excluded.sequence
        """,
        [each.chain_id for each in news],
        [each.account_id for each in news],
        [each.member_id for each in news],
        [each.program_id for each in news],
        [each.balance for each in news],
        [each.sequence for each in news],
    )


async def find_balances(
    conn: Connection, accounts: Collection[AccountKey]
) -> dict[AccountKey, Balance]:
    """What accounts hold, those that are known."""
    if not accounts:
        return {}
    rows = await conn.fetch(
        """
        SELECT chain_id, account_id, member_id, program_id, balance, sequence
        FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, account_id)
        JOIN member_account USING (chain_id, account_id)
        """,
        [chain_id for chain_id, _ in accounts],
        [account_id for _, account_id in accounts],
    )
    found = [
        Balance(
            chain_id=ChainId(row["chain_id"]),
            account_id=AccountId(row["account_id"]),
            member_id=MemberId(row["member_id"]),
            program_id=ProgramId(row["program_id"]),
            balance=row["balance"],
            sequence=row["sequence"],
        )
        for row in rows
    ]
    return {(each.chain_id, each.account_id): each for each in found}


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


async def note_visits(conn: Connection, visits: Sequence[Visit]) -> dict[MemberKey, str | None]:
    """Note that members were here; an older visit that is told late moves nothing. In their order.

    What brought each of these members her first points: the first earn told did, and that stays
    for ever. Of members who were erased nothing is noted or said. One statement and one row each:
    this runs for every earn.
    """
    if not visits:
        return {}
    rows = await conn.fetch(
        """
        INSERT INTO member_standing AS kept
            (chain_id, member_id, last_visit_at, salon_ids, first_earn)
        SELECT chain_id, member_id, max(at),
               coalesce(array_agg(DISTINCT salon_id) FILTER (WHERE salon_id IS NOT NULL), '{}'),
               (array_agg(earned_by ORDER BY place) FILTER (WHERE earned_by IS NOT NULL))[1]
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[])
             WITH ORDINALITY AS told (chain_id, member_id, salon_id, at, earned_by, place)
        GROUP BY chain_id, member_id ORDER BY chain_id, member_id
        ON CONFLICT (chain_id, member_id) DO UPDATE
            SET last_visit_at = greatest(kept.last_visit_at, excluded.last_visit_at),
                salon_ids = CASE
                    WHEN kept.salon_ids @> excluded.salon_ids THEN kept.salon_ids
                    ELSE ARRAY(
                        SELECT unnest(kept.salon_ids) UNION SELECT unnest(excluded.salon_ids))
                END,
                first_earn = coalesce(kept.first_earn, excluded.first_earn), recorded_at = now()
            WHERE kept.erased_at IS NULL
        RETURNING chain_id, member_id, first_earn
        """,
        [each.chain_id for each in visits],
        [each.member_id for each in visits],
        [each.salon_id for each in visits],
        [each.at for each in visits],
        [each.earned_by for each in visits],
    )
    return {
        (ChainId(row["chain_id"]), MemberId(row["member_id"])): row["first_earn"] for row in rows
    }


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


async def find_programs(
    conn: Connection, programs: Collection[ProgramKey]
) -> dict[ProgramKey, ProgramCopy]:
    """Programs, those whose event has arrived."""
    if not programs:
        return {}
    rows = await conn.fetch(
        """
        SELECT chain_id, program_id, name, term_one, term_other, active, version
        FROM unnest($1::uuid[], $2::uuid[]) AS wanted (chain_id, program_id)
        JOIN program_copy USING (chain_id, program_id)
        """,
        [chain_id for chain_id, _ in programs],
        [program_id for _, program_id in programs],
    )
    found = [
        ProgramCopy(
            chain_id=ChainId(row["chain_id"]),
            program_id=ProgramId(row["program_id"]),
            name=row["name"],
            term_one=row["term_one"],
            term_other=row["term_other"],
            active=row["active"],
            version=row["version"],
        )
        for row in rows
    ]
    return {(each.chain_id, each.program_id): each for each in found}


async def default_program(conn: Connection, chain_id: ChainId) -> ProgramCopy | None:
    """The running program that came first."""
    program_id = await conn.fetchval(
        """
        SELECT program_id FROM program_copy WHERE chain_id = $1 AND active
        ORDER BY recorded_at, program_id LIMIT 1
        """,
        chain_id,
    )
    if program_id is None:
        return None
    key = (chain_id, ProgramId(program_id))
    return (await find_programs(conn, [key])).get(key)


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
    """Forget what an erased member did, also what is told of it later. Repeatable.

    Her accounts stay, for they bear no trace of her.
    """
    await conn.execute(
        """
        INSERT INTO member_standing (chain_id, member_id, erased_at) VALUES ($1, $2, now())
        ON CONFLICT (chain_id, member_id) DO UPDATE
            SET last_visit_at = NULL, salon_ids = '{}', erased_at = excluded.erased_at
        """,
        chain_id,
        member_id,
    )
    # Only the release before still writes it (0033_visits_in_one_row.sql).
    await conn.execute(
        "DELETE FROM member_salon WHERE chain_id = $1 AND member_id = $2", chain_id, member_id
    )
