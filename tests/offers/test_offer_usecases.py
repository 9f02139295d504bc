"""Offers on a real database: created once, changed, deleted, told, and kept apart by chain."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.chassis.errors import KeyReused
from services.offers.domain import errors
from services.offers.domain.offer import ChainId, Change, OfferId
from services.offers.usecases import offers as usecases
from services.offers.usecases.deps import Shown
from services.offers.usecases.offers import CreateOffer, DeleteOffer, UpdateOffer
from tests.offers.conftest import OWNER, OffersHarness, draft


async def update(
    offers: OffersHarness, chain_id: ChainId, offer_id: OfferId, **words: object
) -> Shown:
    return await usecases.update_offer(
        offers.deps,
        UpdateOffer(
            chain_id=chain_id,
            offer_id=offer_id,
            change=Change(**words),  # type: ignore[arg-type]
            by=OWNER,
        ),
    )


async def delete(offers: OffersHarness, chain_id: ChainId, offer_id: OfferId) -> Shown:
    return await usecases.delete_offer(
        offers.deps, DeleteOffer(chain_id=chain_id, offer_id=offer_id, by=OWNER)
    )


async def visible(offers: OffersHarness, chain_id: ChainId) -> set[str]:
    shown = await usecases.list_offers(offers.deps, chain_id, visible_only=True)
    return {one.offer.terms.title for one in shown}


async def test_a_created_offer_is_listed_shown_and_told(offers: OffersHarness) -> None:
    """LS-49, LS-50, LS-55: saved as written, with the whole state in its event."""
    chain_id = await offers.chain()
    created = await offers.create(chain_id, coupon_expiry_date="2027-01-15")

    listed = await usecases.list_offers(offers.deps, chain_id, visible_only=False)
    (told,) = await offers.told(created.offer.id)

    assert listed == [created]
    assert created.visible_now
    assert (told.title, told.description) == ("20 % sur les soins", "Un soin profond.")
    assert (told.exclusion, told.shown_in_app) == ("Sauf les coffrets.", True)
    assert (told.start_date, told.end_date) == ("2026-12-10", "2026-12-31")
    assert told.coupon_expiry_date == "2027-01-15"
    assert (told.version, told.home_time_zone) == (1, "America/Toronto")
    assert not told.deleted


async def test_a_resent_creation_returns_the_first_offer_whatever_became_of_it(
    offers: OffersHarness,
) -> None:
    chain_id = await offers.chain()
    first = await offers.create(chain_id, key="editor-1")
    await update(offers, chain_id, first.offer.id, title="Autre")

    replay = await offers.create(chain_id, key="editor-1")

    assert replay.offer == first.offer
    assert len(await usecases.list_offers(offers.deps, chain_id, visible_only=False)) == 1


async def test_twenty_creations_at_once_with_one_key_make_one_offer(offers: OffersHarness) -> None:
    chain_id = await offers.chain()
    answers = await asyncio.gather(*(offers.create(chain_id, key="same") for _ in range(20)))
    assert len({one.offer.id for one in answers}) == 1
    assert len(await offers.told(answers[0].offer.id)) == 1


async def test_a_key_that_was_used_for_another_offer_is_refused(offers: OffersHarness) -> None:
    chain_id = await offers.chain()
    await offers.create(chain_id, key="editor-1")
    with pytest.raises(KeyReused):
        await offers.create(chain_id, key="editor-1", title="Autre chose")


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_creation_without_a_usable_key_is_refused(offers: OffersHarness, key: str) -> None:
    chain_id = await offers.chain()
    with pytest.raises(errors.IdempotencyKeyInvalid):
        await usecases.create_offer(
            offers.deps,
            CreateOffer(chain_id=chain_id, idempotency_key=key, draft=draft(), by=OWNER),
        )


async def test_a_refused_creation_leaves_no_key_behind(offers: OffersHarness) -> None:
    chain_id = await offers.chain()
    with pytest.raises(errors.TitleRequired):
        await offers.create(chain_id, key="editor-1", title="")
    assert (await offers.create(chain_id, key="editor-1")).offer.version == 1


async def test_an_offer_of_a_chain_not_heard_of_yet_may_be_tried_again(
    offers: OffersHarness,
) -> None:
    chain_id = ChainId(uuid4())
    with pytest.raises(errors.ChainUnknown) as refused:
        await offers.create(chain_id, key="early")
    assert refused.value.retry_after_seconds > 0

    await offers.tell_chain(chain_id, zone="America/Toronto", version=1)
    assert (await offers.create(chain_id, key="early")).visible_now


async def test_an_edited_offer_shows_its_new_text_and_is_told_again(offers: OffersHarness) -> None:
    """LS-58 "Modifier"."""
    chain_id = await offers.chain()
    created = await offers.create(chain_id)
    changed = await update(
        offers, chain_id, created.offer.id, title="30 %", coupon_expiry_date="2027-01-15"
    )

    assert changed.offer.terms.title == "30 %"
    assert changed.offer.terms.description == "Un soin profond."
    told = await offers.told(created.offer.id)
    assert [(one.version, one.title) for one in told] == [(1, "20 % sur les soins"), (2, "30 %")]
    cleared = await update(offers, chain_id, created.offer.id, coupon_expiry_date="")
    assert cleared.offer.terms.coupon_expiry_date is None


async def test_an_edit_that_changes_nothing_tells_nothing(offers: OffersHarness) -> None:
    chain_id = await offers.chain()
    created = await offers.create(chain_id)
    same = await update(offers, chain_id, created.offer.id, title="20 % sur les soins")
    assert same.offer.version == 1
    assert len(await offers.told(created.offer.id)) == 1


async def test_a_deleted_offer_is_gone_from_the_app_and_told_once(offers: OffersHarness) -> None:
    """LS-58 "Supprimer": rewards hears of it and keeps the coupons that were taken."""
    chain_id = await offers.chain()
    created = await offers.create(chain_id)

    gone = await delete(offers, chain_id, created.offer.id)
    again = await delete(offers, chain_id, created.offer.id)

    assert again == gone
    assert await usecases.list_offers(offers.deps, chain_id, visible_only=False) == []
    assert [one.deleted for one in await offers.told(created.offer.id)] == [False, True]
    kept = await usecases.get_offer(offers.deps, chain_id, created.offer.id)
    assert not kept.visible_now
    with pytest.raises(errors.OfferNotFound):
        await update(offers, chain_id, created.offer.id, title="Trop tard")


async def test_the_list_follows_the_chains_clock(offers: OffersHarness) -> None:
    """LS-52, OF1, D7: a sandbox chain's own time decides what its app shows."""
    chain_id = await offers.chain()
    await offers.create(chain_id)
    toronto_midnight = datetime(2027, 1, 1, 5, 0, tzinfo=UTC)

    offers.deps.clock.put_offset(
        chain_id, toronto_midnight - timedelta(seconds=1) - offers.clock.now()
    )
    assert await visible(offers, chain_id) == {"20 % sur les soins"}
    offers.deps.clock.put_offset(chain_id, toronto_midnight - offers.clock.now())
    assert await visible(offers, chain_id) == set()


async def test_an_unticked_offer_is_listed_but_not_shown(offers: OffersHarness) -> None:
    """LS-57."""
    chain_id = await offers.chain()
    await offers.create(chain_id, shown_in_app=False)
    assert await visible(offers, chain_id) == set()
    assert len(await usecases.list_offers(offers.deps, chain_id, visible_only=False)) == 1


async def test_twelve_offers_of_a_year_show_each_in_its_month(offers: OffersHarness) -> None:
    """LS-62: all made on 2 January, each visible only in its month."""
    chain_id = await offers.chain()
    offers.clock.set(datetime(2027, 1, 2, 15, 0, tzinfo=UTC))
    firsts = [datetime(2027, month, 1, tzinfo=UTC) for month in range(1, 13)]
    ends = [*firsts[1:], datetime(2028, 1, 1, tzinfo=UTC)]
    for first, following in zip(firsts, ends, strict=True):
        await offers.create(
            chain_id,
            title=f"Mois {first.month}",
            start_date=first.date().isoformat(),
            end_date=(following - timedelta(days=1)).date().isoformat(),
        )
    for month, (first, following) in enumerate(zip(firsts, ends, strict=True), start=1):
        for day in (first, following - timedelta(days=1)):
            for hour in (5, 17, 27):
                offers.clock.set(day + timedelta(hours=hour))
                assert await visible(offers, chain_id) == {f"Mois {month}"}
    listed = await usecases.list_offers(offers.deps, chain_id, visible_only=False)
    assert [one.offer.terms.title for one in listed] == [f"Mois {m}" for m in range(12, 0, -1)]


async def test_a_moved_home_zone_tells_every_living_offer_again(offers: OffersHarness) -> None:
    """D38: the days stay, the moments at which they begin do not."""
    chain_id = await offers.chain()
    living = await offers.create(chain_id)
    gone = await offers.create(chain_id, title="Passée")
    await delete(offers, chain_id, gone.offer.id)

    await offers.tell_chain(chain_id, zone="America/Vancouver", version=2)
    await offers.tell_chain(chain_id, zone="America/Toronto", version=1)
    await offers.tell_chain(chain_id, zone="America/Vancouver", version=3)

    told = await offers.told(living.offer.id)
    assert [(one.version, one.home_time_zone) for one in told] == [
        (1, "America/Toronto"),
        (2, "America/Vancouver"),
    ]
    assert len(await offers.told(gone.offer.id)) == 2


async def test_charlie_sees_and_changes_nothing_of_another_chain(offers: OffersHarness) -> None:
    """Alice's chain and Charlie's chain; foreign ids answer like unknown ones."""
    alice_chain, charlie_chain = await offers.chain(), await offers.chain()
    created = await offers.create(alice_chain, key="shared-key")
    own = await offers.create(charlie_chain, key="shared-key", title="Chez Charlie")
    assert own.offer.id != created.offer.id

    with pytest.raises(errors.OfferNotFound):
        await usecases.get_offer(offers.deps, charlie_chain, created.offer.id)
    with pytest.raises(errors.OfferNotFound):
        await update(offers, charlie_chain, created.offer.id, title="Volée")
    with pytest.raises(errors.OfferNotFound):
        await delete(offers, charlie_chain, created.offer.id)
    assert await visible(offers, charlie_chain) == {"Chez Charlie"}
    assert await usecases.get_offer(offers.deps, alice_chain, created.offer.id) == created


async def test_parallel_edits_each_make_their_own_version(offers: OffersHarness) -> None:
    chain_id = await offers.chain()
    created = await offers.create(chain_id)
    await asyncio.gather(
        *(update(offers, chain_id, created.offer.id, title=f"Titre {n}") for n in range(10))
    )
    versions = [one.version for one in await offers.told(created.offer.id)]
    assert versions == list(range(1, 12))
