"""One-time codes that were asked for."""

from __future__ import annotations

from datetime import datetime

from services.chassis.postgres import Connection
from services.enrollment.domain.codes import TRIES_MAX, Challenge
from services.enrollment.domain.ids import ChainId, ChallengeId
from services.enrollment.domain.members import Channel


async def insert_challenge(
    conn: Connection, challenge: Challenge, *, chain_id: ChainId, now: datetime
) -> None:
    """Write a code that was asked for."""
    await conn.execute(
        """
        INSERT INTO code_challenge (chain_id, id, member_id, channel, address, code_digest,
                                    created_at, expires_at, adds_address)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        chain_id,
        challenge.id,
        challenge.member_id,
        challenge.channel,
        challenge.address,
        challenge.code_digest,
        now,
        challenge.expires_at,
        challenge.adds_address,
    )


async def take_try(
    conn: Connection, *, chain_id: ChainId, challenge_id: ChallengeId, now: datetime
) -> Challenge | None:
    """Take one of a living code's tries; None when none is left, or it is used or expired.

    Locks the code: tries that come together are counted one after the other.
    """
    row = await conn.fetchrow(
        """
        UPDATE code_challenge SET tries = tries + 1
        WHERE chain_id = $1 AND id = $2 AND tries < $4 AND used_at IS NULL AND expires_at > $3
        RETURNING id, member_id, channel, address, code_digest, expires_at, adds_address
        """,
        chain_id,
        challenge_id,
        now,
        TRIES_MAX,
    )
    if row is None:
        return None
    return Challenge(
        id=row["id"],
        member_id=row["member_id"],
        channel=Channel(row["channel"]),
        address=row["address"],
        code_digest=row["code_digest"],
        expires_at=row["expires_at"],
        adds_address=row["adds_address"],
    )


async def use_challenge(
    conn: Connection, *, chain_id: ChainId, challenge_id: ChallengeId, now: datetime
) -> None:
    """Use a code up whose try this transaction has taken."""
    await conn.execute(
        "UPDATE code_challenge SET used_at = $3 WHERE chain_id = $1 AND id = $2",
        chain_id,
        challenge_id,
        now,
    )


async def forget_challenges(conn: Connection, *, before: datetime, count_max: int) -> int:
    """Delete codes that expired before this moment."""
    rows = await conn.fetch(
        """
        DELETE FROM code_challenge
        WHERE (chain_id, id) IN (
            SELECT chain_id, id FROM code_challenge WHERE expires_at < $1 LIMIT $2
        )
        RETURNING id
        """,
        before,
        count_max,
    )
    return len(rows)
