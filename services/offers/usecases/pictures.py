"""The picture of an offer: set, taken away, read; else the chain's logo stands in (LS-56)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.postgres import Connection, in_transaction
from services.offers import storage
from services.offers.domain.errors import ImageNotFound, OfferNotFound
from services.offers.domain.offer import ChainId, OfferId
from services.offers.domain.picture import Picture, checked_picture
from services.offers.usecases.deps import By, Deps, Shown, publish, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPicture:
    """ "Choisissez Fichier"."""

    chain_id: ChainId
    offer_id: OfferId
    content: bytes
    media_type: str
    by: By


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePicture:
    """Back to the chain's logo."""

    chain_id: ChainId
    offer_id: OfferId
    by: By


async def set_picture(deps: Deps, command: SetPicture) -> Shown:
    """Give an offer this picture instead of the one before.

    Repeatable: the picture that it has makes no version. Refuses with OfferNotFound, ImageInvalid,
    ImageTooLarge.
    """
    return await _replace(deps, command, checked_picture(command.content, command.media_type))


async def remove_picture(deps: Deps, command: RemovePicture) -> Shown:
    """Back to the chain's logo. Repeatable. Refuses with OfferNotFound."""
    return await _replace(deps, command, None)


async def _replace(
    deps: Deps, command: SetPicture | RemovePicture, picture: Picture | None
) -> Shown:
    """Locks the chain, then the offer, as every change of an offer does."""
    chain_id, offer_id, by = command.chain_id, command.offer_id, command.by

    async def work(conn: Connection) -> Shown:
        chain = await storage.lock_chain(conn, chain_id)
        present = await storage.lock_offer(conn, chain_id, offer_id)
        if chain is None or present is None or present.deleted_at is not None:
            raise OfferNotFound
        now = deps.clock.now(chain_id)
        if present.image_digest == (picture.digest if picture else ""):
            return shown(present, chain, now=now)
        if picture is None:
            offer = await storage.drop_picture(
                conn, chain_id, offer_id, by_kind=by.kind, by_id=by.id, now=now
            )
        else:
            offer = await storage.put_picture(
                conn, chain_id, offer_id, picture, by_kind=by.kind, by_id=by.id, now=now
            )
        if offer is None:
            raise OfferNotFound
        await publish(conn, [offer], chain=chain, now=now)
        return shown(offer, chain, now=now)

    return await in_transaction(deps.pool, work)


async def get_picture(deps: Deps, chain_id: ChainId, offer_id: OfferId, digest: str) -> Picture:
    """The picture of this digest, deleted offers included. Refuses with ImageNotFound."""

    async def work(conn: Connection) -> Picture:
        picture = await storage.find_picture(conn, chain_id, offer_id, digest)
        if picture is None:
            raise ImageNotFound
        return picture

    return await in_transaction(deps.pool, work)
