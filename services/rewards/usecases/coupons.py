"""Offers as they go into wallets: coupons, which cost nothing and may expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis import idempotency, jobs
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection, in_transaction
from services.rewards import answers
from services.rewards.answers import Answer
from services.rewards.domain.actors import SYSTEM, Actor
from services.rewards.domain.errors import NotFound, OfferNotRunning
from services.rewards.domain.ids import ChainId, MemberId, OfferId, RewardId
from services.rewards.domain.offers import OfferTerms, coupon_expires_at, is_running
from services.rewards.domain.rewards import Reward, RewardEventKind, RewardState
from services.rewards.metrics import COUPONS_EXPIRED_TOTAL, COUPONS_TAKEN_TOTAL
from services.rewards.storage import offers as copies
from services.rewards.storage import rewards as storage
from services.rewards.usecases import facts
from services.rewards.usecases.deps import Deps, RequestKey

TAKE_OFFER = "take_offer"
EXPIRE_COUPON = "expire_coupon"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOffer:
    """A member wants an offer."""

    request: RequestKey
    chain_id: ChainId
    member_id: MemberId
    offer_id: OfferId
    actor: Actor


async def take_offer(deps: Deps, command: TakeOffer) -> Answer:
    """Put an offer into the member's wallet as a coupon with its terms of now (LS-53).

    Once a member and offer: the second time she gets the same coupon, whatever became of it, also
    when the offer is over by then. Repeatable by key.

    Refuses with:
      - NotFound: the chain has no such offer.
      - OfferNotRunning: it has not begun, is over or was deleted.
    """
    now = deps.clock.now(command.chain_id)
    claim = command.request.claim(chain_id=command.chain_id, operation=TAKE_OFFER)

    async def work(conn: Connection) -> Answer:
        async def effect() -> bytes:
            return answers.encode(await _take(conn, command, now=now))

        return answers.decode_done(await idempotency.once(conn, claim, effect))

    return await in_transaction(deps.pool, work)


async def expire_coupon(
    deps: Deps, conn: Connection, *, chain_id: ChainId, reward_id: RewardId
) -> None:
    """Mark a coupon that reached its end unused (LS-54). Repeatable. Locks the coupon."""
    now = deps.clock.now(chain_id)
    expired = await storage.expire(conn, chain_id=chain_id, reward_id=reward_id, now=now)
    if expired is None:
        return
    await facts.record(
        conn, expired, kind=RewardEventKind.EXPIRED, salon_id=None, actor=SYSTEM, now=now
    )
    COUPONS_EXPIRED_TOTAL.inc()


async def keep_offer(conn: Connection, offer: OfferTerms) -> None:
    """Remember what an offer says; an older version than the known one changes nothing."""
    await copies.keep_offer(conn, offer)


async def keep_chain(
    conn: Connection, *, chain_id: ChainId, version: int, home_zone: str, currency: str
) -> None:
    """Remember a chain's home zone and currency; an older version changes nothing."""
    await copies.keep_chain(
        conn, chain_id=chain_id, version=version, home_zone=home_zone, currency=currency
    )


async def known_offer_version(deps: Deps, *, chain_id: ChainId, offer_id: OfferId) -> int:
    """Which version of an offer is known here; 0 = none yet."""

    async def work(conn: Connection) -> int:
        offer = await copies.find_offer(conn, chain_id=chain_id, offer_id=offer_id)
        return 0 if offer is None else offer.version

    return await in_transaction(deps.pool, work)


async def _take(conn: Connection, command: TakeOffer, *, now: datetime) -> Answer:
    offer = await copies.find_offer(conn, chain_id=command.chain_id, offer_id=command.offer_id)
    if offer is None:
        raise NotFound(field="offer_id")
    if is_running(offer, now=now):
        coupon = _coupon(command, offer, now=now)
        if await storage.insert_coupon(conn, coupon):
            await _begin_life(conn, coupon, actor=command.actor, now=now)
            return Answer(reward=coupon)
    had = await storage.find_coupon(
        conn, chain_id=command.chain_id, member_id=command.member_id, offer_id=command.offer_id
    )
    if had is not None:
        return Answer(reward=had, already_taken=True)
    if is_running(offer, now=now):
        raise InvariantViolated("a coupon is neither new nor there")
    raise OfferNotRunning(
        field="offer_id",
        params={
            "start_date": offer.start_date.isoformat(),
            "end_date": offer.end_date.isoformat(),
        },
    )


async def _begin_life(conn: Connection, coupon: Reward, *, actor: Actor, now: datetime) -> None:
    await facts.record(
        conn, coupon, kind=RewardEventKind.TAKEN, salon_id=None, actor=actor, now=now
    )
    COUPONS_TAKEN_TOTAL.inc()
    if coupon.expires_at is not None:
        await jobs.enqueue(
            conn,
            chain_id=coupon.chain_id,
            kind=EXPIRE_COUPON,
            key=str(coupon.id),
            due_at=coupon.expires_at,
            payload={"reward_id": str(coupon.id)},
        )


def _coupon(command: TakeOffer, offer: OfferTerms, *, now: datetime) -> Reward:
    return Reward(
        id=RewardId(uuid4()),
        chain_id=command.chain_id,
        member_id=command.member_id,
        account_id=None,
        program_id=None,
        definition_id=None,
        offer_id=offer.id,
        name=offer.title,
        description=offer.description,
        exclusion=offer.exclusion,
        points=0,
        discount=None,
        state=RewardState.ISSUED,
        created_at=now,
        updated_at=now,
        redeemed_at=None,
        display_until=None,
        used_by_session="",
        redeemed_salon_id=None,
        expires_at=coupon_expires_at(offer),
        voided_at=None,
        points_returned=False,
        sale_id=None,
        version=1,
    )
