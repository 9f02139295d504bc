"""Wrong codes: in a row for each account, and by the hour for each chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.chassis.postgres import Connection
from services.points.domain.codes import CONSECUTIVE_FAILURES_MAX, CodeKind, CodeTry
from services.points.domain.ids import AccountId, ChainId, ProgramId

# What the owner is shown is a day; a month is kept for whoever looks into it.
HOURS_KEPT_DAYS = 30

_READ = """
SELECT kept.chain_id, kept.account_id, kept.kind
FROM unnest($1::uuid[], $2::uuid[]) AS asked (chain_id, account_id)
JOIN code_failure AS kept USING (chain_id, account_id)
WHERE kept.consecutive >= $3
"""

_FAIL = """
INSERT INTO code_failure AS kept (chain_id, account_id, kind, program_id, consecutive)
SELECT chain_id, account_id, kind, program_id, failures
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::int[])
     AS failed (chain_id, account_id, kind, program_id, failures)
ORDER BY chain_id, account_id, kind
ON CONFLICT (chain_id, account_id, kind) DO UPDATE
    SET consecutive = least(kept.consecutive + excluded.consecutive, $6), updated_at = now()
    WHERE kept.consecutive < $6
"""

_FORGET = """
DELETE FROM code_failure AS kept
USING unnest($1::uuid[], $2::uuid[], $3::text[]) AS right_code (chain_id, account_id, kind)
WHERE kept.chain_id = right_code.chain_id AND kept.account_id = right_code.account_id
  AND kept.kind = right_code.kind AND kept.consecutive < $4
"""

_COUNT_HOUR = """
INSERT INTO code_failure_hour AS kept (chain_id, hour, failures)
SELECT chain_id, date_trunc('hour', $3::timestamptz, 'UTC'), failures
FROM unnest($1::uuid[], $2::int[]) AS counted (chain_id, failures)
ORDER BY chain_id
ON CONFLICT (chain_id, hour) DO UPDATE SET failures = kept.failures + excluded.failures
RETURNING chain_id, failures
"""


async def locked(
    conn: Connection, accounts: Sequence[tuple[ChainId, AccountId]]
) -> set[tuple[ChainId, AccountId, CodeKind]]:
    """Accounts and kinds of code with so many wrong ones in a row that no more are looked at."""
    if not accounts:
        return set()
    rows = await conn.fetch(
        _READ,
        [chain_id for chain_id, _ in accounts],
        [account_id for _, account_id in accounts],
        CONSECUTIVE_FAILURES_MAX,
    )
    return {
        (ChainId(row["chain_id"]), AccountId(row["account_id"]), CodeKind(row["kind"]))
        for row in rows
    }


async def record_failures(
    conn: Connection, failed: Sequence[CodeTry], *, now: datetime
) -> dict[ChainId, tuple[int, int]]:
    """Count wrong codes; for each chain, its wrong codes of the hour before and after these."""
    if not failed:
        return {}
    rows = Counter(failed_try.name for failed_try in failed)
    programs = {failed_try.name: failed_try.program_id for failed_try in failed}
    await conn.execute(
        _FAIL,
        [chain_id for chain_id, _, _ in rows],
        [account_id for _, account_id, _ in rows],
        [kind.value for _, _, kind in rows],
        [programs[name] for name in rows],
        list(rows.values()),
        CONSECUTIVE_FAILURES_MAX,
    )
    chains = Counter(failed_try.chain_id for failed_try in failed)
    counted = await conn.fetch(_COUNT_HOUR, list(chains), list(chains.values()), now)
    await conn.execute(
        "DELETE FROM code_failure_hour WHERE chain_id = ANY($1) AND hour < $2",
        list(chains),
        now - timedelta(days=HOURS_KEPT_DAYS),
    )
    return {
        ChainId(row["chain_id"]): (row["failures"] - chains[row["chain_id"]], row["failures"])
        for row in counted
    }


async def forget(conn: Connection, right: Sequence[CodeTry]) -> None:
    """End the rows of wrong codes of those that typed a right one. Those locked stay locked."""
    if not right:
        return
    names = sorted({right_try.name for right_try in right})
    await conn.execute(
        _FORGET,
        [chain_id for chain_id, _, _ in names],
        [account_id for _, account_id, _ in names],
        [kind.value for _, _, kind in names],
        CONSECUTIVE_FAILURES_MAX,
    )


async def unlock_program(
    conn: Connection, *, chain_id: ChainId, program_id: ProgramId, kind: CodeKind
) -> None:
    """A program has a new code: failures at the old one count no more."""
    await conn.execute(
        "DELETE FROM code_failure WHERE chain_id = $1 AND program_id = $2 AND kind = $3",
        chain_id,
        program_id,
        kind.value,
    )


async def of_last_day(conn: Connection, chain_id: ChainId, *, now: datetime) -> int:
    """Wrong codes of the whole chain in the last 24 hours."""
    failures: int = await conn.fetchval(
        """
        SELECT coalesce(sum(failures), 0)::bigint FROM code_failure_hour
        WHERE chain_id = $1 AND hour > $2
        """,
        chain_id,
        now - timedelta(hours=24),
    )
    return failures
