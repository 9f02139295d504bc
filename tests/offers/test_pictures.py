"""The picture of an offer, and last year's offer again, on a real database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import grpc
import pytest
from loyalty.offers.v1 import offers_pb2, offers_pb2_grpc

from services.chassis.errors import KeyReused, RemoteRefusal
from services.offers import rpc
from services.offers.domain import errors
from services.offers.domain.offer import ChainId, Offer, OfferId
from services.offers.domain.picture import PICTURE_BYTES_MAX, checked_picture
from services.offers.usecases import offers as usecases
from services.offers.usecases import pictures
from services.offers.usecases.deps import Shown
from tests.messaging.wire import serving
from tests.offers.conftest import OWNER, OffersHarness

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"pixels"


async def put(
    offers: OffersHarness, offer: Offer, content: bytes = WEBP, media_type: str = "image/webp"
) -> Shown:
    command = pictures.SetPicture(
        chain_id=offer.chain_id,
        offer_id=offer.id,
        content=content,
        media_type=media_type,
        by=OWNER,
    )
    return await pictures.set_picture(offers.deps, command)


async def take_away(offers: OffersHarness, offer: Offer) -> Shown:
    command = pictures.RemovePicture(chain_id=offer.chain_id, offer_id=offer.id, by=OWNER)
    return await pictures.remove_picture(offers.deps, command)


async def duplicate(
    offers: OffersHarness, chain_id: ChainId, offer_id: OfferId, key: str = ""
) -> Shown:
    command = usecases.DuplicateOffer(
        chain_id=chain_id, offer_id=offer_id, idempotency_key=key or str(uuid4()), by=OWNER
    )
    return await usecases.duplicate_offer(offers.deps, command)


async def test_an_offer_has_no_picture_until_one_is_chosen(offers: OffersHarness) -> None:
    """LS-56: no digest means that the chain's logo is shown."""
    offer = (await offers.create(await offers.chain())).offer
    assert offer.image_digest == ""
    with pytest.raises(errors.ImageNotFound):
        await pictures.get_picture(offers.deps, offer.chain_id, offer.id, "")


@pytest.mark.parametrize(
    ("content", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]
)
async def test_a_picture_is_read_back_by_its_digest(
    offers: OffersHarness, content: bytes, media_type: str
) -> None:
    """LS-56."""
    offer = (await offers.create(await offers.chain())).offer
    changed = (await put(offers, offer, content, media_type)).offer
    assert changed.image_digest
    assert changed.version == 2
    kept = await pictures.get_picture(offers.deps, offer.chain_id, offer.id, changed.image_digest)
    assert (kept.content, kept.media_type) == (content, media_type)
    assert [told.version for told in await offers.told(offer.id)] == [1, 2]


async def test_the_same_picture_again_changes_nothing_and_another_replaces_it(
    offers: OffersHarness,
) -> None:
    """LS-56: repeatable; the address of the picture before leads nowhere."""
    offer = (await offers.create(await offers.chain())).offer
    first, again = (await put(offers, offer)).offer, (await put(offers, offer)).offer
    assert again == first
    other = (await put(offers, offer, PNG, "image/png")).offer
    assert other.image_digest != first.image_digest
    with pytest.raises(errors.ImageNotFound):
        await pictures.get_picture(offers.deps, offer.chain_id, offer.id, first.image_digest)


async def test_a_picture_taken_away_leaves_the_logo(offers: OffersHarness) -> None:
    """LS-56: twice is as good as once."""
    offer = (await offers.create(await offers.chain())).offer
    await put(offers, offer)
    removed, again = (await take_away(offers, offer)).offer, (await take_away(offers, offer)).offer
    assert removed == again
    assert (removed.image_digest, removed.version) == ("", 3)
    assert not await offers.pool.fetchval(
        "SELECT count(*) FROM offer_picture WHERE offer_id = $1", offer.id
    )


@pytest.mark.parametrize(
    ("content", "media_type", "refusal"),
    [
        (b"", "image/png", errors.ImageInvalid),
        (b"", "", errors.ImageInvalid),
        (b"<svg onload='x'/>", "image/svg+xml", errors.ImageInvalid),
        (b"<html>", "image/png", errors.ImageInvalid),
        (b"GIF89a", "image/gif", errors.ImageInvalid),
        (PNG, "image/jpeg", errors.ImageInvalid),
        (PNG, "text/html", errors.ImageInvalid),
        (PNG + b"x" * PICTURE_BYTES_MAX, "image/png", errors.ImageTooLarge),
    ],
)
def test_what_is_not_the_picture_it_is_said_to_be_is_refused(
    content: bytes, media_type: str, refusal: type[errors.Refusal]
) -> None:
    """LS-56: a second look behind the gateway's, so that no other kind is ever served."""
    with pytest.raises(refusal):
        checked_picture(content, media_type)


async def test_no_chain_touches_or_sees_the_picture_of_another(offers: OffersHarness) -> None:
    """Charlie neither reads, replaces, removes nor copies what is Alice's salon's."""
    offer = (await offers.create(await offers.chain())).offer
    digest = (await put(offers, offer)).offer.image_digest
    charlie = await offers.chain()
    with pytest.raises(errors.ImageNotFound):
        await pictures.get_picture(offers.deps, charlie, offer.id, digest)
    strange = replace(offer, chain_id=charlie)
    with pytest.raises(errors.OfferNotFound):
        await put(offers, strange, PNG, "image/png")
    with pytest.raises(errors.OfferNotFound):
        await take_away(offers, strange)
    with pytest.raises(errors.OfferNotFound):
        await duplicate(offers, charlie, offer.id)
    kept = await pictures.get_picture(offers.deps, offer.chain_id, offer.id, digest)
    assert kept.content == WEBP


async def test_a_deleted_offer_takes_no_picture_and_keeps_its_own(offers: OffersHarness) -> None:
    """LS-58: a coupon that lives on still shows it."""
    offer = (await offers.create(await offers.chain())).offer
    digest = (await put(offers, offer)).offer.image_digest
    await usecases.delete_offer(
        offers.deps,
        usecases.DeleteOffer(chain_id=offer.chain_id, offer_id=offer.id, by=OWNER),
    )
    with pytest.raises(errors.OfferNotFound):
        await put(offers, offer, PNG, "image/png")
    kept = await pictures.get_picture(offers.deps, offer.chain_id, offer.id, digest)
    assert kept.content == WEBP


async def test_last_years_offer_comes_again_a_year_later_with_its_picture(
    offers: OffersHarness,
) -> None:
    """LS-62: the same words; every day a year on; visible in its own year only."""
    chain_id = await offers.chain()
    first = (await offers.create(chain_id, coupon_expiry_date="2027-01-15")).offer
    first = (await put(offers, first)).offer

    copy = await duplicate(offers, chain_id, first.id)

    terms = copy.offer.terms
    assert copy.offer.id != first.id
    assert (terms.title, terms.description) == (first.terms.title, first.terms.description)
    assert (terms.start_date.isoformat(), terms.end_date.isoformat()) == (
        "2027-12-10",
        "2027-12-31",
    )
    assert terms.coupon_expiry_date is not None
    assert terms.coupon_expiry_date.isoformat() == "2028-01-15"
    assert not copy.visible_now
    assert copy.offer.image_digest == first.image_digest
    await take_away(offers, first)
    kept = await pictures.get_picture(offers.deps, chain_id, copy.offer.id, first.image_digest)
    assert kept.content == WEBP
    offers.clock.set(datetime(2027, 12, 10, 17, tzinfo=UTC))
    shown = await usecases.list_offers(offers.deps, chain_id, visible_only=True)
    assert [one.offer.id for one in shown] == [copy.offer.id]
    assert [told.version for told in await offers.told(copy.offer.id)] == [1]


@pytest.mark.parametrize(
    ("start", "end", "later"),
    [
        ("2028-02-29", "2028-02-29", ("2029-02-28", "2029-02-28")),
        ("2027-02-28", "2027-03-01", ("2028-02-28", "2028-03-01")),
        ("2026-12-31", "2027-01-01", ("2027-12-31", "2028-01-01")),
    ],
)
async def test_a_year_later_is_a_day_of_the_calendar(
    offers: OffersHarness, start: str, end: str, later: tuple[str, str]
) -> None:
    """LS-62."""
    chain_id = await offers.chain()
    first = await offers.create(chain_id, start_date=start, end_date=end)
    terms = (await duplicate(offers, chain_id, first.offer.id)).offer.terms
    assert (terms.start_date.isoformat(), terms.end_date.isoformat()) == later


async def test_the_last_year_of_the_calendar_has_no_year_after(offers: OffersHarness) -> None:
    """LS-62."""
    chain_id = await offers.chain()
    first = await offers.create(chain_id, start_date="2199-01-01", end_date="2199-01-31")
    with pytest.raises(errors.DateInvalid):
        await duplicate(offers, chain_id, first.offer.id)


async def test_ten_duplications_at_once_with_one_key_make_one_offer(
    offers: OffersHarness,
) -> None:
    """LS-62: repeatable by key, and the key is of one offer."""
    chain_id = await offers.chain()
    first, other = await offers.create(chain_id), await offers.create(chain_id)
    answers = await asyncio.gather(
        *(duplicate(offers, chain_id, first.offer.id, key="again") for _ in range(10))
    )
    assert len({answer.offer.id for answer in answers}) == 1
    assert len(await usecases.list_offers(offers.deps, chain_id, visible_only=False)) == 3
    with pytest.raises(KeyReused):
        await duplicate(offers, chain_id, other.offer.id, key="again")


async def test_pictures_and_duplicates_pass_through_the_door(offers: OffersHarness) -> None:
    """LS-56, LS-62: as the gateway calls them."""
    created = await offers.create(await offers.chain())
    chain_id, offer_id = str(created.offer.chain_id), str(created.offer.id)
    async with serving(rpc.register(offers.deps), rpc.STATUS) as channel:
        stub = offers_pb2_grpc.OffersServiceStub(channel)
        offer = (
            await stub.SetOfferImage(
                offers_pb2.SetOfferImageRequest(
                    chain_id=chain_id, offer_id=offer_id, image=PNG, media_type="image/png"
                )
            )
        ).offer
        copy = (
            await stub.DuplicateOffer(
                offers_pb2.DuplicateOfferRequest(
                    chain_id=chain_id, offer_id=offer_id, idempotency_key="again"
                )
            )
        ).offer
        assert copy.image_digest == offer.image_digest
        seen = offers_pb2.GetOfferImageRequest(
            chain_id=chain_id, offer_id=copy.id, digest=copy.image_digest
        )
        answer = await stub.GetOfferImage(seen)
        assert (answer.image, answer.media_type) == (PNG, "image/png")
        gone = await stub.RemoveOfferImage(
            offers_pb2.RemoveOfferImageRequest(chain_id=chain_id, offer_id=copy.id)
        )
        assert gone.offer.image_digest == ""
        with pytest.raises(RemoteRefusal) as refused:
            await stub.GetOfferImage(seen)
    assert (refused.value.code, refused.value.status) == (
        "image_not_found",
        grpc.StatusCode.NOT_FOUND,
    )
