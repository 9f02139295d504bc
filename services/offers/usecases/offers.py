"""The life of an offer: created, duplicated, changed, deleted, listed (LS-49 to LS-62)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from services.chassis import idempotency
from services.chassis.postgres import Connection, in_transaction
from services.offers import storage
from services.offers.domain.chain import Chain
from services.offers.domain.errors import ChainUnknown, IdempotencyKeyInvalid, OfferNotFound
from services.offers.domain.offer import (
    ChainId,
    Change,
    Draft,
    Offer,
    OfferId,
    changed_terms,
    checked_terms,
    terms_a_year_later,
)
from services.offers.usecases.answers import from_answer, to_answer
from services.offers.usecases.deps import By, Deps, Shown, publish, shown


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
class DuplicateOffer:
    """Last year's offer again."""

    chain_id: ChainId
    idempotency_key: str
    offer_id: OfferId
    by: By


async def create_offer(deps: Deps, command: CreateOffer) -> Shown:
    """Put a new offer into the chain's list (LS-49 to LS-57).

    Repeatable: the same idempotency key returns the first answer, whatever became of the offer.
    Refuses with IdempotencyKeyInvalid, ChainUnknown, and what `checked_terms` refuses.
    """
    claim = _claim(command, "CreateOffer", asked=repr(command.draft))

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
                image_digest="",
            )
            await storage.insert_offer(conn, offer, by_kind=command.by.kind, by_id=command.by.id)
            await publish(conn, [offer], chain=chain, now=now)
            return to_answer(offer)

        answer = from_answer(await idempotency.once(conn, claim, effect))
        return shown(answer, chain, now=now)

    return await in_transaction(deps.pool, work)


async def duplicate_offer(deps: Deps, command: DuplicateOffer) -> Shown:
    """The same words and picture with every day a year later (LS-62); a new offer of its own.

    Locks the chain, then the offer that is copied. Repeatable by key. Refuses with
    IdempotencyKeyInvalid, ChainUnknown, OfferNotFound, and DateInvalid past the last year.
    """
    claim = _claim(command, "DuplicateOffer", asked=str(command.offer_id))

    async def work(conn: Connection) -> Shown:
        chain = await storage.lock_chain(conn, command.chain_id)
        if chain is None:
            raise ChainUnknown
        now = deps.clock.now(command.chain_id)

        async def effect() -> bytes:
            before = await storage.lock_offer(conn, command.chain_id, command.offer_id)
            if before is None or before.deleted_at is not None:
                raise OfferNotFound
            offer = replace(
                before,
                id=OfferId(uuid4()),
                terms=terms_a_year_later(before.terms),
                version=1,
                created_at=now,
                updated_at=now,
            )
            await storage.insert_offer(conn, offer, by_kind=command.by.kind, by_id=command.by.id)
            await storage.copy_picture(conn, command.chain_id, before.id, offer.id)
            await publish(conn, [offer], chain=chain, now=now)
            return to_answer(offer)

        answer = from_answer(await idempotency.once(conn, claim, effect))
        return shown(answer, chain, now=now)

    return await in_transaction(deps.pool, work)


def _claim(
    command: CreateOffer | DuplicateOffer, operation: str, *, asked: str
) -> idempotency.Claim:
    if not 1 <= len(command.idempotency_key) <= idempotency.KEY_LENGTH_MAX:
        raise IdempotencyKeyInvalid
    return idempotency.Claim(
        chain_id=command.chain_id,
        operation=operation,
        key=command.idempotency_key,
        fingerprint=idempotency.fingerprint(asked.encode()),
    )


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
            return shown(present, chain, now=now)
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
        await publish(conn, [offer], chain=chain, now=now)
        return shown(offer, chain, now=now)

    return await in_transaction(deps.pool, work)


async def delete_offer(deps: Deps, command: DeleteOffer) -> Shown:
    """Take an offer out of the app ("Supprimer"); coupons already taken stay usable (LS-58).

    Repeatable: deleting it again answers what the first time left. Refuses with OfferNotFound.
    """

    async def work(conn: Connection) -> Shown:
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
            return shown(gone, chain, now=now)
        await publish(conn, [offer], chain=chain, now=now)
        return shown(offer, chain, now=now)

    return await in_transaction(deps.pool, work)


async def get_offer(deps: Deps, chain_id: ChainId, offer_id: OfferId) -> Shown:
    """One offer, deleted or not. Refuses with OfferNotFound."""

    async def work(conn: Connection) -> Shown:
        chain = await storage.find_chain(conn, chain_id)
        offer = await storage.find_offer(conn, chain_id, offer_id)
        if chain is None or offer is None:
            raise OfferNotFound
        return shown(offer, chain, now=deps.clock.now(chain_id))

    return await in_transaction(deps.pool, work)


async def list_offers(deps: Deps, chain_id: ChainId, *, visible_only: bool) -> list[Shown]:
    """The chain's living offers, newest start first; with `visible_only` those its app shows."""

    async def work(conn: Connection) -> list[Shown]:
        chain = await storage.find_chain(conn, chain_id)
        if chain is None:
            return []
        now = deps.clock.now(chain_id)
        living = [
            shown(offer, chain, now=now) for offer in await storage.list_offers(conn, chain_id)
        ]
        return [one for one in living if one.visible_now or not visible_only]

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
        await publish(conn, offers, chain=chain, now=now)
