"""A day at a till, told with every call of the SDK that Mèche answers, and what is left of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, fresh_phone, make_tier
from tests.e2e.sales import category, item, promotion, set_rules, sold, spend
from tests.sdk.till import Till, codes_of


def ids_of(upserted: Any) -> dict[str, str]:
    """ "#name" to the id that it was given."""
    return {one.client_object_id: one.object_id for one in upserted.id_mappings}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the day was about."""

    account_id: str
    customer_id: str


async def live(till: Till, chain: Chain) -> Day:
    """The day: 60 points and as many by the promotion, 5 more, 3 less, one reward used."""
    await _know_the_salon(till, chain)
    ids = await _fill_the_catalog(till)
    await _set_the_rules(chain, ids["#Produits"])
    customer_id, account_id = await _meet_alice(till, chain)
    sale_id = await _sell(till, chain, ids, customer_id)
    await _earn_by_the_sale(till, chain, sale_id, account_id)
    await _earn_and_adjust_by_hand(till, chain, account_id)
    await _take_and_use_rewards(till, chain, ids, account_id)
    events = await till(
        "loyalty.search_events",
        query={"filter": {"loyalty_account_filter": {"loyalty_account_id": account_id}}},
    )
    assert Counter(event.type for event in events.events) == EVENTS
    return Day(account_id=account_id, customer_id=customer_id)


EVENTS = Counter(
    {
        "ACCUMULATE_POINTS": 2,
        "ACCUMULATE_PROMOTION_POINTS": 1,
        "ADJUST_POINTS": 1,
        "CREATE_REWARD": 2,
        "DELETE_REWARD": 1,
        "REDEEM_REWARD": 1,
    }
)
BALANCE = 60 + 60 + 5 - 3 - 20


async def _know_the_salon(till: Till, chain: Chain) -> None:
    locations = await till("locations.list")
    programs = await till("loyalty.programs.list")
    main = await till("loyalty.programs.get", program_id="main")
    assert [one.id for one in locations.locations] == [chain.salon_id]
    assert [one.id for one in programs.programs] == [main.program.id] == [chain.program_id]


async def _fill_the_catalog(till: Till) -> dict[str, str]:
    objects = [
        category("Soins"),
        category("Produits"),
        item("Coupe", "#Soins"),
        item("Shampoing", "#Produits"),
    ]
    upserted = await till(
        "catalog.batch_upsert", idempotency_key=fresh_key(), batches=[{"objects": objects}]
    )
    listed = await till.every("catalog.list", types="CATEGORY")
    ids = ids_of(upserted)
    assert {one.id for one in listed} == {ids["#Soins"], ids["#Produits"]}
    return ids


async def _set_the_rules(chain: Chain, excluded_category_id: str) -> None:
    """Square has no call for it; the owner's panel does it once."""
    async with chain.client() as client:
        await set_rules(client, spend(excluded_category_ids=[excluded_category_id]))


async def _meet_alice(till: Till, chain: Chain) -> tuple[str, str]:
    phone = fresh_phone()
    made = await till(
        "customers.create", given_name="Alice", phone_number=phone, idempotency_key=fresh_key()
    )
    customer_id = made.customer.id
    await till("customers.update", customer_id=customer_id, note="aime le thé")
    got = await till("customers.get", customer_id=customer_id)
    found = await till("customers.search", query={"filter": {"phone_number": {"exact": phone}}})
    listed = await till.every("customers.list")
    assert (got.customer.note, [one.id for one in found.customers]) == (
        "aime le thé",
        [customer_id],
    )
    assert [one.id for one in listed] == [customer_id]
    opened = await till(
        "loyalty.accounts.create",
        loyalty_account={"program_id": chain.program_id, "mapping": {"phone_number": phone}},
        idempotency_key=fresh_key(),
    )
    account_id = opened.loyalty_account.id
    searched = await till("loyalty.accounts.search", query={"mappings": [{"phone_number": phone}]})
    assert [one.id for one in searched.loyalty_accounts] == [account_id]
    await _refuse_to_erase(till, customer_id)
    return customer_id, account_id


async def _refuse_to_erase(till: Till, customer_id: str) -> None:
    with pytest.raises(ApiError) as refused:
        await till("customers.delete", customer_id=customer_id)
    assert (refused.value.status_code, codes_of(refused.value)) == (400, ["BAD_REQUEST"])


async def _sell(till: Till, chain: Chain, ids: dict[str, str], customer_id: str) -> str:
    """$60 of care and $40 of products, which earn nothing (SQ-53)."""
    lines = [("coupe", "#Coupe-une", 6000), ("shampoing", "#Shampoing-une", 4000)]
    order = {
        "location_id": chain.salon_id,
        "customer_id": customer_id,
        "line_items": [sold(uid, price, catalog_object_id=ids[name]) for uid, name, price in lines],
    }
    told = await till("orders.calculate", order=order)
    made = await till("orders.create", order=order, idempotency_key=fresh_key())
    got = await till("orders.get", order_id=made.order.id)
    among = await till("orders.batch_get", order_ids=[made.order.id], location_id=chain.salon_id)
    assert told.order.total_money.amount == got.order.total_money.amount == 10_000
    assert among.orders == [got.order]
    return str(made.order.id)


async def _earn_by_the_sale(till: Till, chain: Chain, sale_id: str, account_id: str) -> None:
    """While a promotion doubles: the preview is what comes (SQ-17)."""
    program_id = chain.program_id
    made = await till(
        "loyalty.programs.promotions.create",
        program_id=program_id,
        loyalty_promotion=promotion(),
        idempotency_key=fresh_key(),
    )
    promotion_id = made.loyalty_promotion.id
    preview = await till(
        "loyalty.programs.calculate",
        program_id=program_id,
        order_id=sale_id,
        loyalty_account_id=account_id,
    )
    earned = await till(
        "loyalty.accounts.accumulate_points",
        account_id=account_id,
        accumulate_points={"order_id": sale_id},
        idempotency_key=fresh_key(),
        location_id=chain.salon_id,
    )
    base, extra = earned.events
    assert (preview.points, preview.promotion_points) == (60, 60)
    assert base.accumulate_points.points == 60
    assert extra.accumulate_promotion_points.points == 60
    assert extra.accumulate_promotion_points.loyalty_promotion_id == promotion_id
    told = await till(
        "loyalty.programs.promotions.get", program_id=program_id, promotion_id=promotion_id
    )
    stopped = await till(
        "loyalty.programs.promotions.cancel", program_id=program_id, promotion_id=promotion_id
    )
    listed = await till.every("loyalty.programs.promotions.list", program_id=program_id)
    assert told.loyalty_promotion.status == "ACTIVE"
    assert stopped.loyalty_promotion.status == "CANCELED"
    assert [one.id for one in listed] == [promotion_id]


async def _earn_and_adjust_by_hand(till: Till, chain: Chain, account_id: str) -> None:
    await till(
        "loyalty.accounts.accumulate_points",
        account_id=account_id,
        accumulate_points={"points": 5},
        idempotency_key=fresh_key(),
        location_id=chain.salon_id,
    )
    await till(
        "loyalty.accounts.adjust",
        account_id=account_id,
        adjust_points={"points": -3, "reason": "Erreur"},
        idempotency_key=fresh_key(),
    )


async def _take_and_use_rewards(
    till: Till, chain: Chain, ids: dict[str, str], account_id: str
) -> None:
    """One reward goes on a sale and comes off again (SQ-20); another is used."""
    async with chain.client() as client:
        tier = await make_tier(chain, client, 20)
    wanted = {"loyalty_account_id": account_id, "reward_tier_id": tier["id"]}
    line = sold("coupe", 8000, catalog_object_id=ids["#Coupe-une"])
    sale = await till(
        "orders.create",
        order={"location_id": chain.salon_id, "line_items": [line]},
        idempotency_key=fresh_key(),
    )
    on_sale = await till(
        "loyalty.rewards.create",
        reward={**wanted, "order_id": sale.order.id},
        idempotency_key=fresh_key(),
    )
    less = await till("orders.get", order_id=sale.order.id)
    await till("loyalty.rewards.delete", reward_id=on_sale.reward.id)
    again = await till("orders.get", order_id=sale.order.id)
    assert (less.order.total_money.amount, again.order.total_money.amount) == (7200, 8000)
    taken = await till("loyalty.rewards.create", reward=wanted, idempotency_key=fresh_key())
    used = await till(
        "loyalty.rewards.redeem",
        reward_id=taken.reward.id,
        idempotency_key=fresh_key(),
        location_id=chain.salon_id,
    )
    found = await till(
        "loyalty.rewards.search", query={"loyalty_account_id": account_id, "status": "REDEEMED"}
    )
    got = await till("loyalty.rewards.get", reward_id=taken.reward.id)
    assert used.event.redeem_reward.reward_id == taken.reward.id
    assert [one.id for one in found.rewards] == [got.reward.id] == [taken.reward.id]
    account = await till("loyalty.accounts.get", account_id=account_id)
    assert account.loyalty_account.balance == BALANCE
