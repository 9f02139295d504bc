"""Offers on a real database, with a clock that tests set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from loyalty.events.v1 import offers_events_pb2

from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.postgres import Connection, Pool, create_pool, in_transaction
from services.offers.domain.chain import Chain
from services.offers.domain.offer import ChainId, Draft
from services.offers.usecases import offers as usecases
from services.offers.usecases.deps import By, Deps, Shown
from services.offers.usecases.offers import CreateOffer
from tests.engines import Postgres

OWNER = By(kind="STAFF", id="bob")


@dataclass(frozen=True, slots=True, kw_only=True)
class OffersHarness:
    """The service's use cases and what they leave behind."""

    deps: Deps
    pool: Pool
    clock: FixedClock

    async def chain(self, zone: str = "America/Toronto") -> ChainId:
        """A chain that enrollment has told of."""
        chain_id = ChainId(uuid4())
        await self.tell_chain(chain_id, zone=zone, version=1)
        return chain_id

    async def tell_chain(self, chain_id: ChainId, *, zone: str, version: int) -> None:
        """Enrollment's word on a chain."""
        chain = Chain(chain_id=chain_id, home_time_zone=zone, version=version)

        async def work(conn: Connection) -> None:
            await usecases.take_chain(conn, chain, now=self.clock.now())

        await in_transaction(self.pool, work)

    async def create(self, chain_id: ChainId, *, key: str = "", **words: object) -> Shown:
        """An offer of December, except for what `words` say."""
        return await usecases.create_offer(
            self.deps,
            CreateOffer(
                chain_id=chain_id,
                idempotency_key=key or str(uuid4()),
                draft=draft(**words),
                by=OWNER,
            ),
        )

    async def told(self, offer_id: UUID) -> list[offers_events_pb2.OfferChanged]:
        """The events about an offer, in order."""
        rows = await self.pool.fetch(
            "SELECT payload FROM outbox WHERE key = $1 AND type = 'offer.changed' ORDER BY id",
            str(offer_id),
        )
        return [offers_events_pb2.OfferChanged.FromString(row["payload"]) for row in rows]


def draft(**words: object) -> Draft:
    """What the editor sends for an offer of December 2026."""
    given: dict[str, object] = {
        "title": "20 % sur les soins",
        "description": "Un soin profond.",
        "exclusion": "Sauf les coffrets.",
        "start_date": "2026-12-10",
        "end_date": "2026-12-31",
        "coupon_expiry_date": "",
        "shown_in_app": True,
    }
    return Draft(**{**given, **words})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
async def offers_pool(postgres: Postgres) -> AsyncIterator[Pool]:
    urls = await postgres.create_database("offers")
    pool = await create_pool(urls.service_url, size_max=12, name="offers")
    yield pool
    await pool.close()


@pytest.fixture
async def offers(offers_pool: Pool) -> OffersHarness:
    clock = FixedClock(datetime(2026, 12, 15, 17, 0, tzinfo=UTC))
    deps = Deps(pool=offers_pool, clock=BusinessClock(clock))
    return OffersHarness(deps=deps, pool=offers_pool, clock=clock)
