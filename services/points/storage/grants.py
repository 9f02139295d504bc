"""Multi-point grants: opened by a right code, used once, and the audit of both ways above one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection
from services.points.domain.grants import AuditLine, Grant
from services.points.domain.ids import ChainId, GrantId, MemberId, PostingId, ProgramId

_INSERT = """
INSERT INTO multi_point_grant
    (chain_id, id, member_id, program_id, session_id, points, granted_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

# Grants that nobody used are of no use a day later; those of the same member go when she comes.
_SWEEP = """
DELETE FROM multi_point_grant
WHERE chain_id = $1 AND member_id = $2 AND program_id = $3 AND used_at IS NULL
  AND expires_at < $4::timestamptz - interval '1 day'
"""

_READ = """
SELECT grants.chain_id, grants.id, grants.member_id, grants.program_id, grants.session_id,
       grants.points, grants.granted_at, grants.expires_at, grants.used_at IS NOT NULL AS used
FROM unnest($1::uuid[], $2::uuid[]) AS asked (chain_id, id)
JOIN multi_point_grant AS grants USING (chain_id, id)
"""

_CONSUME = """
UPDATE multi_point_grant AS grants
SET used_at = $4, posting_id = used.posting_id
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS used (chain_id, id, posting_id)
WHERE grants.chain_id = used.chain_id AND grants.id = used.id
  AND grants.used_at IS NULL AND grants.expires_at > $4
RETURNING grants.id
"""

_AUDIT = """
INSERT INTO multi_point_audit
    (chain_id, id, program_id, member_id, session_id, way, points, subject_id)
SELECT chain_id, gen_random_uuid(), program_id, member_id, session_id, way, points, subject_id
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::uuid[])
     AS line (chain_id, program_id, member_id, session_id, way, points, subject_id)
"""


async def insert_grant(conn: Connection, grant: Grant) -> None:
    """Add a grant; the member's stale ones that were never used go."""
    await conn.execute(_SWEEP, grant.chain_id, grant.member_id, grant.program_id, grant.granted_at)
    await conn.execute(
        _INSERT,
        grant.chain_id,
        grant.id,
        grant.member_id,
        grant.program_id,
        grant.session_id,
        grant.points,
        grant.granted_at,
        grant.expires_at,
    )


async def grants(
    conn: Connection, asked: Sequence[tuple[ChainId, GrantId]]
) -> dict[tuple[ChainId, GrantId], Grant]:
    """Grants by id. The account of their member and program must be locked: it covers them."""
    if not asked:
        return {}
    rows = await conn.fetch(_READ, [pair[0] for pair in asked], [pair[1] for pair in asked])
    found = (
        Grant(
            chain_id=ChainId(row["chain_id"]),
            id=GrantId(row["id"]),
            member_id=MemberId(row["member_id"]),
            program_id=ProgramId(row["program_id"]),
            session_id=row["session_id"],
            points=row["points"],
            granted_at=row["granted_at"],
            expires_at=row["expires_at"],
            used=row["used"],
        )
        for row in rows
    )
    return {(grant.chain_id, grant.id): grant for grant in found}


async def consume(
    conn: Connection, used: Sequence[tuple[ChainId, GrantId, PostingId]], *, now: datetime
) -> None:
    """Use grants up, each for its posting, on condition that it still may be.

    Raises `InvariantViolated` when one may not: the account's lock should have kept it.
    """
    if not used:
        return
    rows = await conn.fetch(
        _CONSUME,
        [chain_id for chain_id, _, _ in used],
        [grant_id for _, grant_id, _ in used],
        [posting_id for _, _, posting_id in used],
        now,
    )
    if len(rows) != len(used):
        raise InvariantViolated("a multi-point grant was used under its account's lock")


async def audit(conn: Connection, lines: Sequence[AuditLine]) -> None:
    """Write down uses of the multi-point code, for good."""
    if not lines:
        return
    await conn.execute(
        _AUDIT,
        [line.chain_id for line in lines],
        [line.program_id for line in lines],
        [line.member_id for line in lines],
        [line.session_id for line in lines],
        [line.way.value for line in lines],
        [line.points for line in lines],
        [line.subject_id for line in lines],
    )
