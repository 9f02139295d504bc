"""Orders, the catalog and what sales earn, through the official SDK with both of its clients."""

from __future__ import annotations

from typing import Any

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, make_tier, open_chain
from tests.e2e.sales import cad, category, item
from tests.sdk.members import balance_of, open_account
from tests.sdk.story import ids_of
from tests.sdk.till import AsyncTill, SyncTill, Till, codes_of, field_of
from tests.stack import Stack

pytestmark = [
    pytest.mark.stack,
    # The SDK reads its unions in the way of an older pydantic.
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute:DeprecationWarning"),
]


async def upsert(till: Till, *objects: dict[str, Any]) -> dict[str, str]:
    """Objects of the catalog; "#name" to the id that it was given."""
    answer = await till(
        "catalog.batch_upsert", idempotency_key=fresh_key(), batches=[{"objects": list(objects)}]
    )
    return ids_of(answer)


async def sell(till: Till, chain: Chain, price: int = 5000, **said: Any) -> Any:
    """A sale of one line."""
    answer = await till(
        "orders.create",
        order={
            "location_id": chain.salon_id,
            "line_items": [{"name": "Coupe", "quantity": "1", "base_price_money": cad(price)}],
            **said,
        },
        idempotency_key=fresh_key(),
    )
    return answer.order


async def count(till: Till, chain: Chain, account_id: str, order_id: str) -> list[Any]:
    """What the sale earns."""
    answer = await till(
        "loyalty.accounts.accumulate_points",
        account_id=account_id,
        accumulate_points={"order_id": order_id},
        idempotency_key=fresh_key(),
        location_id=chain.salon_id,
    )
    return list(answer.events or [])


async def test_a_sale_is_read_back_as_it_was_posted(till: Till, chain: Chain) -> None:
    account = await open_account(till)
    made = await sell(till, chain, customer_id=account.customer_id, reference_id="caisse-7")
    got = (await till("orders.get", order_id=made.id)).order

    assert got == made
    assert (got.location_id, got.customer_id, got.reference_id) == (
        chain.salon_id,
        account.customer_id,
        "caisse-7",
    )
    assert (got.state, got.total_money.amount, got.total_money.currency) == ("OPEN", 5000, "CAD")
    assert [line.quantity for line in got.line_items] == ["1"]


async def test_an_order_is_calculated_with_a_reward_and_not_kept(till: Till, chain: Chain) -> None:
    """It tells what the order costs once it is posted; a proposed reward takes no points."""
    order = {
        "location_id": chain.salon_id,
        "line_items": [{"uid": "a", "quantity": "1", "base_price_money": cad(5000)}],
        "taxes": [{"uid": "tps", "name": "TPS", "percentage": "5", "scope": "ORDER"}],
    }
    async with chain.client() as client:
        tier = (await make_tier(chain, client, points=3))["id"]
    plain = (await till("orders.calculate", order=order)).order
    posted = (await till("orders.create", order=order, idempotency_key=fresh_key())).order
    cheaper = (
        await till(
            "orders.calculate",
            order=order,
            proposed_rewards=[{"id": "essai", "reward_tier_id": tier}],
        )
    ).order

    assert plain.id is None
    assert plain.total_money == posted.total_money
    assert (plain.total_money.amount, plain.total_tax_money.amount) == (5250, 250)
    assert (cheaper.total_money.amount, cheaper.total_discount_money.amount) == (4725, 500)
    assert [(one.id, one.reward_tier_id) for one in cheaper.rewards] == [("essai", tier)]
    (discount,) = cheaper.discounts
    assert (discount.uid, discount.reward_ids) == ("essai", ["essai"])


async def test_a_tier_that_is_not_there_cannot_be_proposed(till: Till, chain: Chain) -> None:
    order = {
        "location_id": chain.salon_id,
        "line_items": [{"uid": "a", "quantity": "1", "base_price_money": cad(5000)}],
    }
    proposed = [{"id": "essai", "reward_tier_id": fresh_key()}]
    with pytest.raises(ApiError) as refused:
        await till("orders.calculate", order=order, proposed_rewards=proposed)

    assert refused.value.status_code == 404
    assert field_of(refused.value) == "proposed_rewards[0].reward_tier_id"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("orders.search", {}),
        ("orders.update", {"order_id": "x", "order": {"location_id": "y", "version": 1}}),
        ("orders.pay", {"order_id": "x", "idempotency_key": "k"}),
        ("orders.clone", {"order_id": "x"}),
    ],
)
async def test_calls_that_are_not_here_say_what_to_do(
    till: Till, call: str, said: dict[str, Any]
) -> None:
    """At once: the SDK would send a 501 again."""
    with pytest.raises(ApiError) as refused:
        await till(call, **said)

    assert (refused.value.status_code, codes_of(refused.value)) == (404, ["NOT_FOUND"])
    assert "/v2/" in refused.value.body["errors"][0]["detail"]


async def test_one_sale_earns_once_whatever_the_key(till: Till, chain: Chain) -> None:
    """N2: a second key gets the first events again."""
    account = await open_account(till)
    order = await sell(till, chain)
    preview = await till("loyalty.programs.calculate", program_id="main", order_id=order.id)
    first = await count(till, chain, account.id, order.id)
    again = await count(till, chain, account.id, order.id)

    # A visit is one point until the owner says otherwise.
    assert (preview.points, preview.promotion_points or 0) == (1, 0)
    assert [event.accumulate_points.points for event in first] == [1]
    assert first[0].accumulate_points.order_id == order.id
    assert again == first
    assert await balance_of(till, account.id) == 1


async def test_events_of_one_sale_are_found_by_it(till: Till, chain: Chain) -> None:
    account = await open_account(till)
    order, other = await sell(till, chain), await sell(till, chain)
    events = await count(till, chain, account.id, order.id)
    await count(till, chain, account.id, other.id)
    found = await till(
        "loyalty.search_events", query={"filter": {"order_filter": {"order_id": order.id}}}
    )

    assert found.events == events


async def test_a_sale_of_another_member_is_refused(till: Till, chain: Chain) -> None:
    """SQ-18: the member must be on the sale."""
    alice, bob = await open_account(till), await open_account(till)
    order = await sell(till, chain, customer_id=alice.customer_id)
    with pytest.raises(ApiError) as refused:
        await count(till, chain, bob.id, order.id)

    assert refused.value.status_code in {400, 409}
    assert await balance_of(till, bob.id) == 0


async def test_a_sale_in_foreign_money_is_refused(till: Till, chain: Chain) -> None:
    line = {
        "name": "Coupe",
        "quantity": "1",
        "base_price_money": {"amount": 100, "currency": "USD"},
    }
    with pytest.raises(ApiError) as refused:
        await sell(till, chain, line_items=[line])

    assert (refused.value.status_code, codes_of(refused.value)) == (400, ["UNSUPPORTED_CURRENCY"])


async def test_an_amount_is_previewed_without_a_sale(till: Till) -> None:
    told = await till(
        "loyalty.programs.calculate", program_id="main", transaction_amount_money=cad(5000)
    )
    with pytest.raises(ApiError) as refused:
        await till("loyalty.programs.calculate", program_id="main")

    assert told.points == 1
    assert refused.value.status_code == 400


async def test_the_pager_lists_the_whole_catalog(
    kind: type[SyncTill] | type[AsyncTill], stack: Stack
) -> None:
    """More than a page holds, each once; `types` picks."""
    chain = await open_chain(stack, "Catalogue")
    till: Till = kind(chain.base_url, chain.api_key)
    many = [category(f"Rayon {place}") for place in range(120)]
    ids = await upsert(till, *many, item("Coupe", "#Rayon 0"))
    listed = await till.every("catalog.list")
    items = await till.every("catalog.list", types="ITEM")
    by_id = {one.id: one for one in listed}

    assert len(listed) == len(by_id)
    assert {ids[f"#Rayon {place}"] for place in range(120)} <= set(by_id)
    assert [one.id for one in items] == [ids["#Coupe"]]
    assert [one.id for one in items[0].item_data.categories] == [ids["#Rayon 0"]]
    assert [one.id for one in items[0].item_data.variations] == [ids["#Coupe-une"]]


async def test_a_batch_with_a_fault_changes_nothing(till: Till) -> None:
    before = len(await till.every("catalog.list"))
    with pytest.raises(ApiError) as refused:
        await upsert(till, category("Bon"), item("Coupe", "#Nulle part"))

    assert refused.value.status_code in {400, 404}
    assert "batches[0].objects[1]" in field_of(refused.value)
    assert len(await till.every("catalog.list")) == before
