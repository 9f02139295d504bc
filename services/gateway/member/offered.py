"""An offer by its link: where it stands, and the coupon that it becomes (LS-53, LS-57, LS-67)."""

from __future__ import annotations

import re
from typing import Final

from loyalty.offers.v1.offers_pb2 import GetOfferRequest, Offer
from loyalty.rewards.v1.rewards_pb2 import TakeOfferRequest
from loyalty.types.v1.types_pb2 import Actor

from services.chassis.errors import RemoteRefusal, Unavailable
from services.gateway.member.door import NothingHere, Visit

_PATH: Final = re.compile(r"/offers/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


async def offer_of(visit: Visit, offer_id: str) -> Offer:
    """The offer of this address, also one that its list does not show: whoever was sent the link
    may see it.
    """
    request = GetOfferRequest(chain_id=visit.chain.id, offer_id=offer_id)
    try:
        return (await visit.deps.clients.offers.GetOffer(request)).offer
    except RemoteRefusal:
        raise NothingHere from None


def can_be_taken(offer: Offer) -> bool:
    """Whether today is one of its days."""
    return not offer.deleted and offer.stage == Offer.STAGE_RUNNING


async def offer_at(visit: Visit, path: str) -> Offer | None:
    """The offer that she was about to open at this path, if that is one she could take."""
    found = _PATH.fullmatch(path.removeprefix(visit.base))
    if found is None:
        return None
    try:
        offer = await offer_of(visit, found[1])
    except (NothingHere, Unavailable):
        return None
    return offer if can_be_taken(offer) else None


async def take(visit: Visit, offer_id: str, *, actor: Actor, key: str) -> bool:
    """Put its coupon into her wallet; whether it was there before. Raises refusals."""
    answer = await visit.deps.clients.rewards.TakeOffer(
        TakeOfferRequest(
            idempotency_key=key,
            chain_id=visit.chain.id,
            member_id=actor.id,
            offer_id=offer_id,
            actor=actor,
        )
    )
    await visit.deps.live.publish(visit.chain.id, actor.id, "rewards")
    return answer.already_taken


def taken_path(*, before: bool) -> str:
    """Where she sees her coupon."""
    return "/rewards?done=" + ("coupon_again" if before else "coupon")
