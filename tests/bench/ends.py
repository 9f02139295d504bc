"""Accounts whose points have ended, by the set, in a chain of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg

from tests.bench.platform import World

POINTS = 10

# Accounts with one lot each that ended an hour ago, in a chain of their own.
_LOAD = """
WITH opened AS (
    INSERT INTO {schema}.account (chain_id, id, member_id, program_id, balance, lifetime_points,
                                  sequence, opened_at, updated_at, expiry_due)
    SELECT $1, gen_random_uuid(), gen_random_uuid(), $2, {points}, {points}, 1, now(), now(),
           now() - interval '1 hour'
    FROM generate_series(1, $3::int)
    RETURNING chain_id, id, expiry_due
)
INSERT INTO {schema}.lot (chain_id, id, account_id, posting_id, points, remaining, policy,
                          earned_at, expires_at)
SELECT chain_id, uuidv7(), id, uuidv7(), {points}, {points}, 'P3M', now() - interval '90 days',
       expiry_due
FROM opened
"""

_PROGRAM = """
INSERT INTO public.program_account (chain_id, id, program_id, side)
SELECT $1, gen_random_uuid(), $2, side
FROM unnest(ARRAY['issued', 'redeemed', 'adjusted', 'expired']) AS side
"""

_LAWS = """
SELECT (SELECT count(*) FROM public.account
        WHERE chain_id = $1 AND balance = 0 AND expiry_due IS NULL AND sequence = 2) AS accounts,
       (SELECT count(*) FROM public.posting
        WHERE chain_id = $1 AND kind = 'expiry' AND points = $2) AS postings,
       (SELECT count(*) FROM public.lot WHERE chain_id = $1 AND remaining = 0) AS lots,
       (SELECT count(*) FROM public.outbox
        WHERE chain_id = $1 AND type = 'points.expired') AS events
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """A chain with so many accounts, each with one lot that ended an hour ago."""

    program_id: UUID
    accounts: int
    chain_id: UUID = field(default_factory=uuid4)

    async def load(self, conn: asyncpg.Connection[asyncpg.Record], *, schema: str) -> None:
        """Write them, in the caller's transaction: a running service sees them when it commits."""
        load = _LOAD.format(schema=schema, points=POINTS)
        await conn.execute(load, self.chain_id, self.program_id, self.accounts)
        if schema == "public":
            await conn.execute(_PROGRAM, self.chain_id, self.program_id)

    async def broken(self, conn: asyncpg.Connection[asyncpg.Record]) -> list[str]:
        """What does not say that all of them have ended, once each."""
        laws = await conn.fetchrow(_LAWS, self.chain_id, POINTS)
        assert laws is not None
        return [
            f"{self.accounts} accounts had points that ended, and {count} {what} say so"
            for what, count in laws.items()
            if count != self.accounts
        ]


def of(world: World, accounts: int) -> Ends:
    """So many accounts of a new chain, with a program's name that is not looked at."""
    return Ends(program_id=UUID(world.chain.program_id), accounts=accounts)
