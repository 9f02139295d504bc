"""What offers does: one function per use case, one transaction each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from services.chassis import idempotency, outbox
from services.chassis.clock import BusinessClock
from services.chassis.postgres import Connection, Pool, in_transaction
from services.offers import events, metrics, storage
from services.offers.domain.chain import Chain
from services.offers.domain.errors import ChainUnknown, IdempotencyKeyInvalid, OfferNotFound
from services.offers.domain.offer import (
    ChainId,
    Change,
    Draft,
    Offer,
    OfferId,
    OfferTerms,
    OfferType,
    changed_terms,
    checked_terms,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What the use cases stand on."""

    pool: Pool
    clock: BusinessClock


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who asks, by kind and id; never a name."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOffer:
    """A new offer, as the editor sends it."""

    chain_id: ChainId
    idempotency_key: str
    draft: Draft
    by: By


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOffer:
    """A change to an offer."""

    chain_id: ChainId
    offer_id: OfferId
    change: Change
    by: By


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOffer:
    """ "Supprimer"."""

    chain_id: ChainId
    offer_id: OfferId
    by: By


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An offer, and whether the chain's app shows it at the moment of the answer."""

    offer: Offer
    visible_now: bool


async def create_offer(deps: Deps, command: CreateOffer) -> Shown:
    """Put a new offer into the chain's list (LS-49 to LS-57).

    Repeatable: the same idempotency key returns the first answer, whatever became of the offer.
    Refuses with IdempotencyKeyInvalid, ChainUnknown, and what `checked_terms` refuses.
    """
    if not 1 <= len(command.idempotency_key) <= idempotency.KEY_LENGTH_MAX:
        raise IdempotencyKeyInvalid
    claim = idempotency.Claim(
        chain_id=command.chain_id,
        operation="CreateOffer",
        key=command.idempotency_key,
        fingerprint=idempotency.fingerprint(repr(command.draft).encode()),
    )

    async def work(conn: Connection) -> Shown:
        chain = await storage.lock_chain(conn, command.chain_id)
        if chain is None:
            raise ChainUnknown
        now = deps.clock.now(command.chain_id)

        async def effect() -> bytes:
            offer = Offer(
                chain_id=command.chain_id,
                id=OfferId(uuid4()),
                terms=checked_terms(command.draft),
                version=1,
                created_at=now,
                updated_at=now,
                deleted_at=None,
            )
            await storage.insert_offer(conn, offer, by_kind=command.by.kind, by_id=command.by.id)
            await _publish(conn, [offer], chain=chain, now=now)
            metrics.OFFER_CHANGES.labels(change="created").inc()
            return _to_answer(offer)

        answer = _from_answer(await idempotency.once(conn, claim, effect))
        return Shown(offer=answer, visible_now=answer.is_visible(now=now, zone=chain.zone))

    return await in_transaction(deps.pool, work)


async def update_offer(deps: Deps, command: UpdateOffer) -> Shown:
    """Change what the editor shows ("Modifier"); coupons already taken keep their terms (LS-58).

    Locks the chain, then the offer. Repeatable: a change that changes nothing makes no version.
    Refuses with OfferNotFound, and what `checked_terms` refuses.
    """

    async def work(conn: Connection) -> Shown:
        chain = await storage.lock_chain(conn, command.chain_id)
        present = await storage.lock_offer(conn, command.chain_id, command.offer_id)
        if chain is None or present is None or present.deleted_at is not None:
            raise OfferNotFound
        now = deps.clock.now(command.chain_id)
        terms = changed_terms(present.terms, command.change)
        if terms == present.terms:
            return Shown(offer=present, visible_now=present.is_visible(now=now, zone=chain.zone))
        offer = await storage.update_offer(
            conn,
            command.chain_id,
            command.offer_id,
            terms,
            by_kind=command.by.kind,
            by_id=command.by.id,
            now=now,
        )
        if offer is None:
            raise OfferNotFound
        await _publish(conn, [offer], chain=chain, now=now)
        metrics.OFFER_CHANGES.labels(change="updated").inc()
        return Shown(offer=offer, visible_now=offer.is_visible(now=now, zone=chain.zone))

    return await in_transaction(deps.pool, work)


async def delete_offer(deps: Deps, command: DeleteOffer) -> Offer:
    """Take an offer out of the app ("Supprimer"); coupons already taken stay usable (LS-58).

    Repeatable: deleting it again answers what the first time left. Refuses with OfferNotFound.
    """

    async def work(conn: Connection) -> Offer:
        chain = await storage.lock_chain(conn, command.chain_id)
        if chain is None:
            raise OfferNotFound
        now = deps.clock.now(command.chain_id)
        offer = await storage.delete_offer(
            conn,
            command.chain_id,
            command.offer_id,
            by_kind=command.by.kind,
            by_id=command.by.id,
            now=now,
        )
        if offer is None:
            gone = await storage.find_offer(conn, command.chain_id, command.offer_id)
            if gone is None:
                raise OfferNotFound
            return gone
        await _publish(conn, [offer], chain=chain, now=now)
        metrics.OFFER_CHANGES.labels(change="deleted").inc()
        return offer

    return await in_transaction(deps.pool, work)


async def get_offer(deps: Deps, chain_id: ChainId, offer_id: OfferId) -> Shown:
    """One offer, deleted or not. Refuses with OfferNotFound."""

    async def work(conn: Connection) -> Shown:
        chain = await storage.find_chain(conn, chain_id)
        offer = await storage.find_offer(conn, chain_id, offer_id)
        if chain is None or offer is None:
            raise OfferNotFound
        return Shown(
            offer=offer,
            visible_now=offer.is_visible(now=deps.clock.now(chain_id), zone=chain.zone),
        )

    return await in_transaction(deps.pool, work)


async def list_offers(deps: Deps, chain_id: ChainId, *, visible_only: bool) -> list[Shown]:
    """The chain's living offers, newest start first; with `visible_only` those its app shows."""

    async def work(conn: Connection) -> list[Shown]:
        chain = await storage.find_chain(conn, chain_id)
        if chain is None:
            return []
        now = deps.clock.now(chain_id)
        shown = [
            Shown(offer=offer, visible_now=offer.is_visible(now=now, zone=chain.zone))
            for offer in await storage.list_offers(conn, chain_id)
        ]
        return [one for one in shown if one.visible_now or not visible_only]

    return await in_transaction(deps.pool, work)


async def take_chain(conn: Connection, chain: Chain, *, now: datetime) -> None:
    """Keep enrollment's newest word on a chain; runs in the consumer's transaction.

    When the home zone moves, every living offer is told again, since its days now begin at other
    moments. Locks the chain and, in that case, its living offers.
    """
    before = await storage.find_chain(conn, chain.chain_id)
    if not await storage.put_chain(conn, chain):
        return
    if before is not None and before.home_time_zone != chain.home_time_zone:
        offers = await storage.bump_living_offers(conn, chain.chain_id)
        await _publish(conn, offers, chain=chain, now=now)


async def _publish(conn: Connection, offers: list[Offer], *, chain: Chain, now: datetime) -> None:
    await outbox.append(
        conn,
        [
            events.offer_changed(offer, home_time_zone=chain.home_time_zone, occurred_at=now)
            for offer in offers
        ],
    )


def _to_answer(offer: Offer) -> bytes:
    """An offer as the idempotency table keeps it."""
    terms = offer.terms
    return json.dumps(
        {
            "chain_id": str(offer.chain_id),
            "id": str(offer.id),
            "title": terms.title,
            "description": terms.description,
            "exclusion": terms.exclusion,
            "start_date": terms.start_date.isoformat(),
            "end_date": terms.end_date.isoformat(),
            "coupon_expiry_date": (
                terms.coupon_expiry_date.isoformat() if terms.coupon_expiry_date else None
            ),
            "shown_in_app": terms.shown_in_app,
            "created_at": offer.created_at.isoformat(),
        }
    ).encode()


def _from_answer(answer: bytes) -> Offer:
    """The offer as it was when it was created."""
    kept: Mapping[str, Any] = json.loads(answer)
    expiry = kept["coupon_expiry_date"]
    created_at = datetime.fromisoformat(kept["created_at"])
    return Offer(
        chain_id=ChainId(UUID(kept["chain_id"])),
        id=OfferId(UUID(kept["id"])),
        terms=OfferTerms(
            type=OfferType.INSTANT,
            title=kept["title"],
            description=kept["description"],
            exclusion=kept["exclusion"],
            start_date=date.fromisoformat(kept["start_date"]),
            end_date=date.fromisoformat(kept["end_date"]),
            coupon_expiry_date=date.fromisoformat(expiry) if expiry else None,
            shown_in_app=kept["shown_in_app"],
        ),
        version=1,
        created_at=created_at,
        updated_at=created_at,
        deleted_at=None,
    )
