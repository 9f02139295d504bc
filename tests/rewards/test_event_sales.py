"""Facts from before they named their sale find it by what points told of that moment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

import services.rewards
from tests.engines import Postgres
from tests.rewards.house import START

MIGRATION = Path(services.rewards.__file__).parent / "migrations" / "0003_event_sales.sql"


async def test_older_facts_are_given_the_sale_of_their_moment(postgres: Postgres) -> None:
    """R36: used with a sale and given back by its refund; a use at the salon is of no sale."""
    urls = await postgres.create_database("rewards")
    conn = await asyncpg.connect(urls.owner_url)
    chain_id, reward_id, sale_id, stranger = uuid4(), uuid4(), uuid4(), uuid4()

    async def event(kind: str, minutes: int, chain: UUID = chain_id) -> UUID:
        event_id = uuid4()
        await conn.execute(
            """
            INSERT INTO reward_event (
                chain_id, id, reward_id, member_id, kind, points, actor_kind, actor_id,
                reward_name, occurred_at)
            VALUES ($1, $2, $3, $4, $5, 0, 'api_key', 'k', 'Soin', $6)
            """,
            *(chain, event_id, reward_id, uuid4(), kind, START + timedelta(minutes=minutes)),
        )
        return event_id

    try:
        for kind, minutes in (("used", 1), ("returned", 2)):
            await conn.execute(
                """
                INSERT INTO sale_fact (
                    chain_id, reward_id, sale_id, kind, actor_kind, actor_id, occurred_at)
                VALUES ($1, $2, $3, $4, 'api_key', 'k', $5)
                """,
                *(chain_id, reward_id, sale_id, kind, START + timedelta(minutes=minutes)),
            )
        with_sale = {await event("used", 1), await event("restored", 2)}
        for kind, minutes, chain in (
            ("taken", 0, chain_id),
            ("restored", 1, chain_id),
            ("used", 3, chain_id),
            ("used", 1, stranger),
        ):
            await event(kind, minutes, chain)
        (update,) = [
            statement
            for statement in MIGRATION.read_text().split(";")
            if statement.strip().startswith("UPDATE")
        ]

        await conn.execute(update)

        rows = await conn.fetch("SELECT id, sale_id FROM reward_event WHERE sale_id IS NOT NULL")
        assert {(row["id"], row["sale_id"]) for row in rows} == {(id, sale_id) for id in with_sale}
    finally:
        await conn.close()
