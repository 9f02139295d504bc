"""Sales: posted by tills, read, and rewards put on open ones (SQ-19, SQ-20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis import idempotency
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, in_transaction
from services.points.domain import earning, kept_sales, refunds, sales
from services.points.domain.errors import NumberOutOfRange, SalonInactive, SalonUnknown
from services.points.domain.ids import ChainId, LineUid, MemberId, RewardId, SaleId, SalonId
from services.points.domain.kept_sales import (
    KeptChange,
    KeptSale,
    LineDraft,
    NamedDiscount,
    NamedTax,
    SaleState,
)
from services.points.domain.refunds import Change
from services.points.domain.sale_errors import (
    CatalogObjectUnknown,
    CurrencyForeign,
    LinePriceRequired,
    RewardOnAnotherSale,
    RewardUndone,
    SaleUnknown,
)
from services.points.domain.sales import LINES_MAX, Discount, Sale, SaleLine
from services.points.domain.terms import NO_POINTS, SalePoints
from services.points.storage import catalog as catalog_rows
from services.points.storage import chains as chain_rows
from services.points.storage import sale_answers
from services.points.storage import sales as sale_rows
from services.points.usecases import requests, sale_terms
from services.points.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSale:
    """What a till sold, as it tells it."""

    idempotency_key: str
    chain_id: ChainId
    salon_id: SalonId
    member_id: MemberId | None
    currency: str
    lines: tuple[LineDraft, ...]
    discounts: tuple[NamedDiscount, ...]
    taxes: tuple[NamedTax, ...]
    tip_minor: int
    reference_id: str
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardOffer:
    """What a reward takes off a sale: a percentage or an amount, 0 where it is in kind."""

    name: str
    discount: Discount
    # Of an amount; empty where there is none.
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleView:
    """A sale with its changes, and what it still holds after them."""

    kept: KeptSale
    changes: tuple[KeptChange, ...] = ()

    @property
    def brought(self) -> SalePoints:
        """What it brought when it was counted: its worth, or what refunds as nobody's had left."""
        return self._after([each.change for each in self.changes if each.account_id is None])

    @property
    def held(self) -> SalePoints:
        """What it brought and has not lost."""
        return self._after([each.change for each in self.changes])

    def _after(self, history: Sequence[Change]) -> SalePoints:
        if self.kept.settled is None:
            return NO_POINTS
        return refunds.remains(self.kept.settled, history).held


async def create_sale(deps: Deps, wanted: NewSale) -> SaleView:
    """Keep a sale, priced to the cent and open until it is counted.

    Repeatable: the same key returns the sale as it was made, whatever became of it since. Locks
    the key. Lines have the categories of now, parents included, until the count asks again (SQ-55).
    Refuses with SalonUnknown, SalonInactive, CurrencyForeign, OccurredTooEarly, OccurredInFuture,
    and what `lines_of`, `sales.pricing` and `sales.checked` refuse.
    """
    claim = requests.claim(
        deps,
        chain_id=wanted.chain_id,
        operation="create_sale",
        key=wanted.idempotency_key,
        meaning=(
            str(wanted.salon_id),
            str(wanted.member_id or ""),
            wanted.currency,
            wanted.lines,
            wanted.discounts,
            wanted.taxes,
            wanted.tip_minor,
            wanted.reference_id,
            wanted.occurred_at,
        ),
    )

    async def work(conn: Connection) -> SaleView:
        async def create() -> bytes:
            kept = await _new(deps, conn, wanted)
            await sale_rows.insert_sale(conn, kept)
            return sale_answers.encode(kept)

        answer = await idempotency.once(conn, claim, create)
        made = sale_answers.decode(answer, chain_id=wanted.chain_id)
        if isinstance(made, KeptSale):
            return SaleView(kept=made)
        return await view_of(conn, wanted.chain_id, made)

    return await in_transaction(deps.pool, work)


async def price_sale(
    deps: Deps, wanted: NewSale, rewards: Sequence[tuple[RewardId, RewardOffer]]
) -> SaleView:
    """What such a sale would cost with these rewards on it; writes nothing.

    Refuses with what `create_sale` and `apply_reward` refuse of a sale and of a discount.
    """
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        kept = await _new(deps, conn, wanted)
    offered = tuple(_named(kept, reward_id, offer) for reward_id, offer in rewards)
    return SaleView(kept=kept_sales.repriced(replace(kept, discounts=(*kept.discounts, *offered))))


def _named(kept: KeptSale, reward_id: RewardId, offer: RewardOffer) -> NamedDiscount:
    """What a reward takes off a sale."""
    if offer.currency not in ("", kept.sale.currency):
        raise CurrencyForeign(currency=kept.sale.currency)
    return NamedDiscount(
        uid=str(reward_id),
        name=offer.name,
        discount=replace(offer.discount, reward_id=reward_id),
    )


async def _new(deps: Deps, conn: Connection, wanted: NewSale) -> KeptSale:
    chain_id, now = wanted.chain_id, deps.clock.now(wanted.chain_id)
    active = await chain_rows.salon_is_active(conn, chain_id, wanted.salon_id)
    if active is None:
        raise SalonUnknown
    if not active:
        raise SalonInactive
    await sale_terms.require_currency(conn, chain_id, wanted.currency)
    kept = KeptSale(
        sale=Sale(
            chain_id=chain_id,
            id=SaleId(deps.new_id()),
            account_id=None,
            salon_id=wanted.salon_id,
            currency=wanted.currency,
            occurred_at=earning.occurred(wanted.occurred_at, now=now),
            lines=await lines_of(conn, chain_id, wanted.lines, currency=wanted.currency, taken=()),
            tip_minor=wanted.tip_minor,
        ),
        member_id=wanted.member_id,
        discounts=wanted.discounts,
        taxes=wanted.taxes,
        reference_id=wanted.reference_id,
        dated=wanted.occurred_at is not None,
        created_at=now,
        updated_at=now,
    )
    return kept_sales.repriced(kept)


async def lines_of(
    conn: Connection,
    chain_id: ChainId,
    drafts: Sequence[LineDraft],
    *,
    currency: str,
    taken: Sequence[LineUid],
) -> tuple[SaleLine, ...]:
    """Lines as the catalog knows them at this moment, at their price or that of the catalog;
    `taken` uids are not given.

    Refuses with NumberOutOfRange, CatalogObjectUnknown, LinePriceRequired or CurrencyForeign.
    """
    if len(drafts) > LINES_MAX:
        raise NumberOutOfRange(field="line_items", minimum=0, maximum=LINES_MAX)
    at_price = await _at_price(conn, chain_id, drafts, currency=currency)
    ids = [draft.catalog_object_id for draft in drafts if draft.catalog_object_id]
    known = await catalog_rows.lines_resolved(conn, chain_id, ids)
    lines = []
    named = kept_sales.named_lines(drafts, taken=taken)
    for draft, price in zip(named, at_price, strict=True):
        sold = known.get(draft.catalog_object_id) if draft.catalog_object_id else None
        if draft.catalog_object_id and sold is None:
            raise CatalogObjectUnknown(
                field="line_items.catalog_object_id", id=draft.catalog_object_id
            )
        lines.append(
            sales.line_of(
                uid=LineUid(draft.uid),
                quantity=draft.quantity,
                price_minor=price.minor,
                name=draft.name or price.name,
                item_id=sold.item_id if sold else None,
                variation_id=sold.variation_id if sold else None,
                category_ids=sold.category_ids if sold else (),
            )
        )
    return tuple(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price:
    """What one of a line costs, and what the catalog calls it where the price is the catalog's."""

    minor: int
    name: str = ""


async def _at_price(
    conn: Connection, chain_id: ChainId, drafts: Sequence[LineDraft], *, currency: str
) -> list[_Price]:
    """The price of each line, the catalog's where it says none; refusals name the line."""
    ids = [
        draft.catalog_object_id
        for draft in drafts
        if draft.unit_price_minor is None and draft.catalog_object_id
    ]
    found = await catalog_rows.living(conn, chain_id, ids) if ids else []
    known = {sold.id: sold for sold in found}
    prices = []
    for place, draft in enumerate(drafts):
        if draft.unit_price_minor is not None:
            prices.append(_Price(minor=draft.unit_price_minor))
            continue
        line = f"line_items[{place}]"
        named = draft.catalog_object_id
        sold = known.get(named) if named else None
        if named and sold is None:
            raise CatalogObjectUnknown(field=f"{line}.catalog_object_id", id=named)
        if sold is None or sold.price is None:
            raise LinePriceRequired(field=f"{line}.base_price_money")
        if sold.price.currency != currency:
            raise CurrencyForeign(field=f"{line}.catalog_object_id.currency", currency=currency)
        prices.append(_Price(minor=sold.price.amount_minor, name=sold.name))
    return prices


async def get_sale(deps: Deps, *, chain_id: ChainId, sale_id: SaleId) -> SaleView:
    """One sale with its changes; another chain's is unknown (SaleUnknown)."""
    async with deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        return await view_of(conn, chain_id, sale_id)


async def apply_reward(
    deps: Deps,
    *,
    chain_id: ChainId,
    sale_id: SaleId,
    reward_id: RewardId,
    member_id: MemberId,
    offer: RewardOffer,
) -> SaleView:
    """Put a reward that was taken before on an open sale (SQ-19, SQ-20). Repeatable by its id.

    Locks the sale. A sale of nobody becomes the member's. Refuses with SaleUnknown, SaleCounted,
    SaleOfAnother, RewardOnAnotherSale, RewardUndone, or CurrencyForeign.
    """

    async def work(conn: Connection) -> SaleView:
        await put_reward_on(
            deps,
            conn,
            chain_id=chain_id,
            sale_id=sale_id,
            reward_id=reward_id,
            member_id=member_id,
            offer=offer,
        )
        return await view_of(conn, chain_id, sale_id)

    return await in_transaction(deps.pool, work)


async def remove_reward(
    deps: Deps, *, chain_id: ChainId, sale_id: SaleId, reward_id: RewardId
) -> SaleView:
    """Take a reward off an open sale; its total is what it was before (SQ-20). Repeatable.

    Locks the sale. Refuses with SaleUnknown, or with SaleCounted where it was counted with it.
    """

    async def work(conn: Connection) -> SaleView:
        kept = await _locked(conn, chain_id, sale_id)
        await _take_off(deps, conn, kept, reward_id)
        return await view_of(conn, chain_id, sale_id)

    return await in_transaction(deps.pool, work)


async def put_reward_on(
    deps: Deps,
    conn: Connection,
    *,
    chain_id: ChainId,
    sale_id: SaleId,
    reward_id: RewardId,
    member_id: MemberId,
    offer: RewardOffer,
) -> None:
    """`apply_reward` in the caller's transaction; the account that it locks is locked before."""
    kept = await _locked(conn, chain_id, sale_id)
    named = _named(kept, reward_id, offer)
    after = kept_sales.with_reward(kept, named, member_id=member_id, now=deps.clock.now(chain_id))
    if after == kept:
        return
    found = await sale_rows.put_reward(
        conn, chain_id=chain_id, reward_id=reward_id, sale_id=sale_id
    )
    if found != sale_id:
        raise RewardUndone if found == sale_rows.NOWHERE else RewardOnAnotherSale
    await sale_rows.update_sale(conn, after, was=SaleState.OPEN)


async def take_reward_off(
    deps: Deps, conn: Connection, *, chain_id: ChainId, reward_id: RewardId, on_no_sale: bool
) -> None:
    """Take a reward that is undone off whatever open sale it is on, and keep it off all others.

    In the caller's transaction; locks that sale. Refuses with SaleCounted where it was counted
    with the reward, unless rewards knows that it is `on_no_sale` any more (LS-75).
    """
    seen = await sale_rows.sale_of_reward(conn, chain_id=chain_id, reward_id=reward_id)
    if seen is not None:
        # The sale before the rewards on it, as everybody locks them.
        await _locked(conn, chain_id, seen)
    sale_id = await sale_rows.retire_reward(conn, chain_id=chain_id, reward_id=reward_id)
    if sale_id is None:
        return
    kept = await _locked(conn, chain_id, sale_id)
    await sale_rows.leave_for_good(conn, chain_id=chain_id, reward_id=reward_id)
    if on_no_sale and kept.state is SaleState.COUNTED:
        return
    after = kept_sales.without_reward(kept, reward_id, now=deps.clock.now(chain_id))
    if after != kept:
        await sale_rows.update_sale(conn, after, was=SaleState.OPEN)


async def _take_off(deps: Deps, conn: Connection, kept: KeptSale, reward_id: RewardId) -> None:
    sale = kept.sale
    after = kept_sales.without_reward(kept, reward_id, now=deps.clock.now(sale.chain_id))
    if after == kept:
        return
    await sale_rows.drop_rewards(
        conn, chain_id=sale.chain_id, sale_id=sale.id, reward_ids=(reward_id,)
    )
    await sale_rows.update_sale(conn, after, was=SaleState.OPEN)


async def _locked(conn: Connection, chain_id: ChainId, sale_id: SaleId) -> KeptSale:
    kept = await sale_rows.lock_sale(conn, chain_id, sale_id)
    if kept is None:
        raise SaleUnknown
    return kept


async def view_of(conn: Connection, chain_id: ChainId, sale_id: SaleId) -> SaleView:
    """A sale as the caller's transaction sees it; refuses with SaleUnknown."""
    kept = await sale_rows.sale(conn, chain_id, sale_id)
    if kept is None:
        raise SaleUnknown
    if kept.state is SaleState.OPEN:
        return SaleView(kept=kept)
    changes = await sale_rows.changes(conn, chain_id, sale_id)
    return SaleView(kept=kept, changes=tuple(changes))
