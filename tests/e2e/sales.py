"""A till's own words: orders, their points, refunds and the catalog, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from tests.e2e.chains import Chain, enrol, fresh_key

# From long ago, every day and all day, so that it holds whenever the test runs.
ALWAYS = "BEGIN:VEVENT\nDTSTART:20260101T000000\nDURATION:P1D\nRRULE:FREQ=DAILY\nEND:VEVENT"


def cad(amount: int) -> dict[str, Any]:
    """Money of the chain."""
    return {"amount": amount, "currency": "CAD"}


def spend(points: int = 1, per: int = 100, **said: Any) -> dict[str, Any]:
    """A rule: so many points for each so many cents."""
    return {
        "accrual_type": "SPEND",
        "points": points,
        "spend_data": {"amount_money": cad(per), "tax_mode": "BEFORE_TAX", **said},
    }


def visit(minimum: int | None = None, points: int = 1) -> dict[str, Any]:
    """A rule: so many points for a visit of at least so much."""
    data: dict[str, Any] = {"tax_mode": "BEFORE_TAX"}
    if minimum is not None:
        data["minimum_amount_money"] = cad(minimum)
    return {"accrual_type": "VISIT", "points": points, "visit_data": data}


def promotion(name: str = "Double", **said: Any) -> dict[str, Any]:
    """A promotion that doubles points, always open."""
    return {
        "name": name,
        "incentive": {
            "type": "POINTS_MULTIPLIER",
            "points_multiplier_data": {"multiplier": "2"},
        },
        "available_time": {"time_periods": [ALWAYS]},
        **said,
    }


async def set_rules(client: httpx.AsyncClient, *rules: dict[str, Any], **said: Any) -> None:
    """What the default program earns by from now on."""
    program = {"accrual_rules": list(rules), **said} if rules else said
    answer = await client.put(
        "/v2/loyalty/programs/main", json={"idempotency_key": fresh_key(), "program": program}
    )
    assert answer.status_code == 200, answer.text


def sold(uid: str, price: int, quantity: str = "1", **said: Any) -> dict[str, Any]:
    """One line of an order."""
    return {"uid": uid, "quantity": quantity, "base_price_money": cad(price), **said}


async def try_to_post(
    client: httpx.AsyncClient, chain: Chain, *lines: dict[str, Any], **said: Any
) -> httpx.Response:
    """An order, whatever comes of it."""
    order = {"location_id": chain.salon_id, "line_items": list(lines), **said}
    return await client.post("/v2/orders", json={"idempotency_key": fresh_key(), "order": order})


async def post(
    client: httpx.AsyncClient, chain: Chain, *lines: dict[str, Any], **said: Any
) -> dict[str, Any]:
    """An order."""
    answer = await try_to_post(client, chain, *lines, **said)
    assert answer.status_code == 200, answer.text
    order: dict[str, Any] = answer.json()["order"]
    return order


async def read(client: httpx.AsyncClient, order_id: str) -> dict[str, Any]:
    """The order as it is now."""
    answer = await client.get(f"/v2/orders/{order_id}")
    assert answer.status_code == 200, answer.text
    order: dict[str, Any] = answer.json()["order"]
    return order


async def try_to_count(
    client: httpx.AsyncClient, chain: Chain, account_id: str, order_id: str, **said: Any
) -> httpx.Response:
    """The points of an order, whatever comes of it."""
    return await client.post(
        f"/v2/loyalty/accounts/{account_id}/accumulate",
        json={
            "idempotency_key": fresh_key(),
            "location_id": chain.salon_id,
            "accumulate_points": {"order_id": order_id},
            **said,
        },
    )


async def count(
    client: httpx.AsyncClient, chain: Chain, account_id: str, order_id: str
) -> list[dict[str, Any]]:
    """The events of an order that is counted."""
    answer = await try_to_count(client, chain, account_id, order_id)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


async def sell(
    client: httpx.AsyncClient, chain: Chain, *lines: dict[str, Any], account_id: str = ""
) -> tuple[str, str]:
    """An account, new unless one is named, and an order that was counted for it."""
    account_id = account_id or await enrol(chain, client)
    order = await post(client, chain, *lines)
    await count(client, chain, account_id, order["id"])
    return account_id, order["id"]


async def try_to_refund(
    client: httpx.AsyncClient, order_id: str, *, dry_run: bool = False, **said: Any
) -> httpx.Response:
    """A refund, whatever comes of it."""
    refund = {"order_id": order_id, "refund_id": fresh_key(), "type": "FULL", **said}
    return await client.post(
        "/v2/loyalty/refunds",
        params={"dry_run": "true"} if dry_run else {},
        json={"idempotency_key": fresh_key(), "refund": refund},
    )


async def refund(client: httpx.AsyncClient, order_id: str, **said: Any) -> dict[str, Any]:
    """What a refund did."""
    answer = await try_to_refund(client, order_id, **said)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def refund_lines(
    client: httpx.AsyncClient, order_id: str, *uids: str, **said: Any
) -> dict[str, Any]:
    """What a refund of lines did."""
    lines = [{"uid": uid, "quantity": "1"} for uid in uids]
    return await refund(client, order_id, type="ITEMS", line_items=lines, **said)


async def refund_amount(
    client: httpx.AsyncClient, order_id: str, amount: int, **said: Any
) -> dict[str, Any]:
    """What a refund of money did."""
    return await refund(client, order_id, type="CUSTOM_AMOUNT", amount_money=cad(amount), **said)


async def try_to_exchange(
    client: httpx.AsyncClient,
    order_id: str,
    *,
    returned: list[str],
    added: list[dict[str, Any]],
    dry_run: bool = False,
) -> httpx.Response:
    """An exchange of whole lines, whatever comes of it."""
    return await client.post(
        "/v2/loyalty/exchanges",
        params={"dry_run": "true"} if dry_run else {},
        json={
            "idempotency_key": fresh_key(),
            "exchange": {
                "order_id": order_id,
                "exchange_id": fresh_key(),
                "returned": [{"uid": uid, "quantity": "1"} for uid in returned],
                "added": added,
            },
        },
    )


def category(name: str, **said: Any) -> dict[str, Any]:
    """A category; its id is "#name"."""
    return {"type": "CATEGORY", "id": f"#{name}", "category_data": {"name": name, **said}}


def item(name: str, category_id: str = "", price: int | None = None) -> dict[str, Any]:
    """An item of one variation; their ids are "#name" and "#name-une"."""
    data: dict[str, Any] = {"name": "Une"}
    if price is not None:
        data |= {"pricing_type": "FIXED_PRICING", "price_money": cad(price)}
    variation = {"type": "ITEM_VARIATION", "id": f"#{name}-une", "item_variation_data": data}
    item_data: dict[str, Any] = {"name": name, "variations": [variation]}
    if category_id:
        item_data["categories"] = [{"id": category_id}]
    return {"type": "ITEM", "id": f"#{name}", "item_data": item_data}


async def try_to_upsert(client: httpx.AsyncClient, *objects: dict[str, Any]) -> httpx.Response:
    """Objects of the catalog, whatever comes of them."""
    return await client.post(
        "/v2/catalog/batch-upsert",
        json={"idempotency_key": fresh_key(), "batches": [{"objects": list(objects)}]},
    )


async def upsert(client: httpx.AsyncClient, *objects: dict[str, Any]) -> dict[str, str]:
    """Objects of the catalog; "#name" to the id that it was given."""
    answer = await try_to_upsert(client, *objects)
    assert answer.status_code == 200, answer.text
    mappings = answer.json().get("id_mappings", [])
    return {one["client_object_id"]: one["object_id"] for one in mappings}


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and field of the first error."""
    error = answer.json()["errors"][0]
    return answer.status_code, error["code"], error.get("field", "")
