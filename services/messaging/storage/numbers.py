"""Dedicated numbers of chains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from services.messaging.domain.chain import ChainId
from services.messaging.domain.text_to_join import (
    FORMER_KEYWORDS_MAX,
    Actor,
    ChainNumber,
    NumberAct,
    NumberActKind,
)

if TYPE_CHECKING:
    from services.chassis.postgres import Connection


def _former(new: str) -> str:
    """What the row `kept` answers beside the parameter `new`: the newest of its former keywords."""
    return f"""CASE
    WHEN kept.keyword = {new} THEN kept.former_keywords
    ELSE (array_remove(array_remove(kept.former_keywords, kept.keyword), {new}) || kept.keyword)
         [greatest(1, cardinality(kept.former_keywords) - {FORMER_KEYWORDS_MAX - 2}):]
    END"""


def _number(row: asyncpg.Record | None) -> ChainNumber | None:
    if row is None:
        return None
    return ChainNumber(
        chain_id=ChainId(row["chain_id"]),
        number=row["number"],
        keyword=row["keyword"],
        sandbox=row["sandbox"],
        provisioned_at=row["provisioned_at"],
        former_keywords=tuple(row["former_keywords"]),
    )


async def put(conn: Connection, number: ChainNumber) -> bool:
    """Give a chain its number in place of the one it has; locks its row. Posters stay true.

    False when the number is another live chain's.
    """
    try:
        stored = await conn.fetchval(
            f"""
        INSERT INTO chain_number AS kept (chain_id, number, keyword, sandbox, provisioned_at)
        SELECT $1, $2, $3, $4, $5
        WHERE NOT EXISTS (
            SELECT FROM chain_number WHERE number = $2 AND NOT sandbox AND NOT $4 AND chain_id <> $1
        )
        ON CONFLICT (chain_id) DO UPDATE
            SET number = excluded.number, keyword = excluded.keyword, sandbox = excluded.sandbox,
                provisioned_at = excluded.provisioned_at, recorded_at = now(),
                former_keywords = {_former("$3")}
        RETURNING true
        """,  # noqa: S608
            number.chain_id,
            number.number,
            number.keyword,
            number.sandbox,
            number.provisioned_at,
        )
    except asyncpg.UniqueViolationError:
        # Given to another chain in this very moment.
        return False
    return stored is not None


async def release(conn: Connection, chain_id: ChainId) -> ChainNumber | None:
    """Take a chain's number away; None when it has none."""
    return _number(
        await conn.fetchrow(
            """
            DELETE FROM chain_number WHERE chain_id = $1
            RETURNING chain_id, number, keyword, sandbox, provisioned_at, former_keywords
            """,
            chain_id,
        )
    )


async def note(conn: Connection, act: NumberAct) -> None:
    """Write down who did what with a chain's number."""
    await conn.execute(
        """
        INSERT INTO chain_number_act
            (chain_id, act, number, keyword, actor_kind, actor_id, occurred_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        act.chain_id,
        act.kind.value,
        act.number,
        act.keyword,
        act.actor.kind,
        act.actor.id,
        act.occurred_at,
    )


async def acts(conn: Connection, chain_id: ChainId, *, limit: int) -> list[NumberAct]:
    """What was done with a chain's number, newest first."""
    rows = await conn.fetch(
        """
        SELECT chain_id, act, number, keyword, actor_kind, actor_id, occurred_at
        FROM chain_number_act WHERE chain_id = $1 ORDER BY sequence DESC LIMIT $2
        """,
        chain_id,
        limit,
    )
    return [
        NumberAct(
            chain_id=ChainId(row["chain_id"]),
            kind=NumberActKind(row["act"]),
            number=row["number"],
            keyword=row["keyword"],
            actor=Actor(kind=row["actor_kind"], id=row["actor_id"]),
            occurred_at=row["occurred_at"],
        )
        for row in rows
    ]


async def set_keyword(conn: Connection, chain_id: ChainId, keyword: str) -> ChainNumber | None:
    """Change what the number answers to, beside what it answered before.

    None when the chain has no number.
    """
    return _number(
        await conn.fetchrow(
            f"""
            UPDATE chain_number AS kept
            SET keyword = $2, recorded_at = now(), former_keywords = {_former("$2")}
            WHERE chain_id = $1
            RETURNING chain_id, number, keyword, sandbox, provisioned_at, former_keywords
            """,  # noqa: S608
            chain_id,
            keyword,
        )
    )


async def find(conn: Connection, chain_id: ChainId) -> ChainNumber | None:
    """The number of a chain."""
    return _number(
        await conn.fetchrow(
            """
            SELECT chain_id, number, keyword, sandbox, provisioned_at, former_keywords
            FROM chain_number WHERE chain_id = $1
            """,
            chain_id,
        )
    )


async def find_live(conn: Connection, number: str) -> ChainNumber | None:
    """The live chain's row whose number this is."""
    return _number(
        await conn.fetchrow(
            """
            SELECT chain_id, number, keyword, sandbox, provisioned_at, former_keywords
            FROM chain_number WHERE number = $1 AND NOT sandbox
            """,
            number,
        )
    )
