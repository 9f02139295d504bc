"""Offers through its doors: gRPC from the gateway, events of enrollment from a broker."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest
from loyalty.events.v1 import enrollment_events_pb2
from loyalty.offers.v1 import offers_pb2, offers_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.offers import consumers, rpc, storage
from services.offers.domain.offer import ChainId
from tests.messaging.wire import Fact, consuming, publish, serving, until
from tests.offers.conftest import OffersHarness


def creation(chain: str, **words: object) -> offers_pb2.CreateOfferRequest:
    return offers_pb2.CreateOfferRequest(
        **{  # type: ignore[arg-type]
            "idempotency_key": str(uuid4()),
            "chain_id": chain,
            "title": "Noël",
            "start_date": "2026-12-10",
            "end_date": "2026-12-31",
            "actor": types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="bob"),
            **words,
        }
    )


async def test_an_offer_lives_its_whole_life_through_grpc(offers: OffersHarness) -> None:
    """LS-49, LS-50, LS-54, LS-57, LS-58."""
    chain_id = str(await offers.chain())
    async with serving(rpc.register(offers.deps), rpc.STATUS) as channel:
        stub = offers_pb2_grpc.OffersServiceStub(channel)
        created = (await stub.CreateOffer(creation(chain_id))).offer
        assert created.type == offers_pb2.Offer.TYPE_INSTANT
        assert (created.shown_in_app, created.visible_now, created.version) == (True, True, 1)
        assert created.coupon_expiry_date == ""

        updated = await stub.UpdateOffer(
            offers_pb2.UpdateOfferRequest(
                chain_id=chain_id, offer_id=created.id, shown_in_app=False
            )
        )
        assert not updated.offer.visible_now
        assert updated.offer.stage == offers_pb2.Offer.STAGE_RUNNING
        assert updated.offer.title == "Noël"
        ask = offers_pb2.ListOffersRequest(chain_id=chain_id, visible_only=True)
        assert not (await stub.ListOffers(ask)).offers

        gone = await stub.DeleteOffer(
            offers_pb2.DeleteOfferRequest(chain_id=chain_id, offer_id=created.id)
        )
        assert gone.offer.deleted
        got = await stub.GetOffer(
            offers_pb2.GetOfferRequest(chain_id=chain_id, offer_id=created.id)
        )
        assert got.offer.deleted


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        ({"title": ""}, "title_required", grpc.StatusCode.INVALID_ARGUMENT),
        ({"end_date": "2026-12-01"}, "end_before_start", grpc.StatusCode.INVALID_ARGUMENT),
        ({"chain_id": "nobody"}, "id_invalid", grpc.StatusCode.INVALID_ARGUMENT),
        ({"chain_id": str(uuid4())}, "chain_unknown", grpc.StatusCode.UNAVAILABLE),
        ({"idempotency_key": ""}, "idempotency_key_invalid", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_refusal_reaches_the_caller_with_its_code(
    offers: OffersHarness, words: dict[str, object], code: str, status: grpc.StatusCode
) -> None:
    """LS-51."""
    chain_id = str(await offers.chain())
    async with serving(rpc.register(offers.deps), rpc.STATUS) as channel:
        stub = offers_pb2_grpc.OffersServiceStub(channel)
        with pytest.raises(RemoteRefusal) as refused:
            await stub.CreateOffer(creation(chain_id, **words))
    assert (refused.value.code, refused.value.status) == (code, status)


UNKNOWN = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


@pytest.mark.parametrize("offer_id", ["", "x" * 1000, "{" + UNKNOWN + "}", UNKNOWN])
async def test_an_id_of_nothing_is_not_found(offers: OffersHarness, offer_id: str) -> None:
    chain_id = str(await offers.chain())
    async with serving(rpc.register(offers.deps), rpc.STATUS) as channel:
        stub = offers_pb2_grpc.OffersServiceStub(channel)
        with pytest.raises(RemoteRefusal) as refused:
            await stub.GetOffer(offers_pb2.GetOfferRequest(chain_id=chain_id, offer_id=offer_id))
    assert refused.value.status is grpc.StatusCode.NOT_FOUND


def chain_fact(chain_id: ChainId, *, zone: str, version: int) -> Fact:
    payload = enrollment_events_pb2.ChainChanged(
        chain_id=str(chain_id), home_time_zone=zone, version=version
    )
    return Fact(
        type="chain.changed",
        chain_id=chain_id,
        # One key keeps the test's events on one partition, hence in order.
        key="one",
        payload=payload.SerializeToString(),
    )


async def test_enrollments_events_make_chains_known_newest_version_last(
    offers: OffersHarness, kafka_bootstrap: str
) -> None:
    """Each event three times and out of order, with poison between them."""
    topic = f"loyalty.t{uuid4().hex[:8]}.v1"
    chain_id = ChainId(uuid4())
    first = chain_fact(chain_id, zone="America/Toronto", version=1)
    second = chain_fact(chain_id, zone="America/Vancouver", version=2)
    nowhere = chain_fact(chain_id, zone="Mars/Olympus", version=3)
    other = chain_fact(ChainId(uuid4()), zone="UTC", version=9)
    stray = Fact(type="chain.changed", chain_id=chain_id, key="one", payload=other.payload)
    last = chain_fact(ChainId(uuid4()), zone="Europe/Paris", version=1)
    told = [second, first, nowhere, second, stray, first, second, first, last]

    async with consuming(
        topic=topic,
        handlers=consumers.handlers(offers.deps),
        pool=offers.pool,
        bootstrap=kafka_bootstrap,
    ):
        await publish(kafka_bootstrap, topic, told)

        async def arrived() -> bool:
            async with offers.pool.acquire() as conn:
                return await storage.find_chain(conn, ChainId(last.chain_id)) is not None

        await until(arrived)

    async with offers.pool.acquire() as conn:
        kept = await storage.find_chain(conn, chain_id)
    assert kept is not None
    assert (kept.home_time_zone, kept.version) == ("America/Vancouver", 2)
    reasons = await offers.pool.fetch(
        "SELECT reason FROM dead_letter WHERE event_id = ANY($1::uuid[])", [nowhere.id, stray.id]
    )
    assert len(reasons) == 2
