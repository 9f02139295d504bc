"""Examples of orders, the catalog, refunds, the ledger and rewards on orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.example_ids import (
    ACCOUNT,
    CATEGORY,
    CUSTOMER,
    EVENT,
    ITEM,
    KEY,
    LOCATION,
    OPEN_ORDER,
    ORDER,
    PROGRAM,
    REWARD,
    THEN,
    TIER,
    VARIATION,
    Example,
)
from services.gateway.loyalty_examples import EVENT_SHOWN, REWARD_SHOWN


def _cad(amount: int) -> Mapping[str, object]:
    return {"amount": amount, "currency": "CAD"}


_LINE_IN: Final = {
    "uid": "coupe",
    "name": "Coupe",
    "quantity": "1",
    "base_price_money": _cad(8000),
}
_TAX_IN: Final = {"uid": "tps", "name": "TPS", "scope": "ORDER", "percentage": "5"}
_ORDER_IN: Final = {
    "location_id": LOCATION,
    "customer_id": CUSTOMER,
    "reference_id": "caisse-1-0042",
    "line_items": [_LINE_IN],
    "taxes": [_TAX_IN],
    "total_tip_money": _cad(1000),
}
_LINE: Final = {
    **_LINE_IN,
    "item_type": "ITEM",
    "gross_sales_money": _cad(8000),
    "total_tax_money": _cad(400),
    "total_discount_money": _cad(0),
    "total_money": _cad(8400),
    "applied_taxes": [{"uid": "coupe:tps", "tax_uid": "tps", "applied_money": _cad(400)}],
}
_ORDER: Final = {
    "id": OPEN_ORDER,
    "location_id": LOCATION,
    "customer_id": CUSTOMER,
    "reference_id": "caisse-1-0042",
    "state": "OPEN",
    "version": 1,
    "line_items": [_LINE],
    "taxes": [{**_TAX_IN, "type": "ADDITIVE", "applied_money": _cad(400)}],
    "total_money": _cad(9400),
    "total_tax_money": _cad(400),
    "total_discount_money": _cad(0),
    "total_tip_money": _cad(1000),
    "total_service_charge_money": _cad(0),
    "net_amounts": {
        "total_money": _cad(9400),
        "tax_money": _cad(400),
        "discount_money": _cad(0),
        "tip_money": _cad(1000),
        "service_charge_money": _cad(0),
    },
    "net_amount_due_money": _cad(9400),
    "created_at": THEN,
    "updated_at": THEN,
    "occurred_at": THEN,
}
_COUNTED: Final = {
    **{name: value for name, value in _ORDER.items() if name != "net_amount_due_money"},
    "id": ORDER,
    "state": "COMPLETED",
    "version": 2,
    "closed_at": THEN,
    "loyalty": {
        "loyalty_account_id": ACCOUNT,
        "loyalty_program_id": PROGRAM,
        "points": 80,
        "tier_bonus_points": 0,
        "promotion_points": 0,
        "held_points": 80,
        "silent_line_uids": [],
        "changes": [],
    },
}
# 10 % off $80, then 5 % of tax.
_DISCOUNTED: Final = {
    **_ORDER,
    "version": 2,
    "line_items": [
        {
            **_LINE,
            "total_tax_money": _cad(360),
            "total_discount_money": _cad(800),
            "total_money": _cad(7560),
            "applied_taxes": [{"uid": "coupe:tps", "tax_uid": "tps", "applied_money": _cad(360)}],
            "applied_discounts": [
                {
                    "uid": f"coupe:{REWARD}",
                    "discount_uid": REWARD,
                    "applied_money": _cad(800),
                }
            ],
        }
    ],
    "taxes": [{**_TAX_IN, "type": "ADDITIVE", "applied_money": _cad(360)}],
    "discounts": [
        {
            "uid": REWARD,
            "name": "10 % de rabais",
            "type": "FIXED_PERCENTAGE",
            "scope": "ORDER",
            "percentage": "10",
            "applied_money": _cad(800),
            "reward_ids": [REWARD],
        }
    ],
    "rewards": [{"id": REWARD, "reward_tier_id": TIER}],
    "total_money": _cad(8560),
    "total_tax_money": _cad(360),
    "total_discount_money": _cad(800),
    "net_amounts": {
        "total_money": _cad(8560),
        "tax_money": _cad(360),
        "discount_money": _cad(800),
        "tip_money": _cad(1000),
        "service_charge_money": _cad(0),
    },
    "net_amount_due_money": _cad(8560),
}
_KEPT: Final = {"updated_at": THEN, "version": 1, "is_deleted": False}
_CATEGORY: Final = {
    "type": "CATEGORY",
    "id": CATEGORY,
    **_KEPT,
    "present_at_all_locations": True,
    "category_data": {"name": "Soins", "is_top_level": True},
}
_ITEM: Final = {
    "type": "ITEM",
    "id": ITEM,
    **_KEPT,
    "present_at_all_locations": True,
    "item_data": {
        "name": "Soin profond",
        "categories": [{"id": CATEGORY}],
        "variations": [
            {
                "type": "ITEM_VARIATION",
                "id": VARIATION,
                **_KEPT,
                "present_at_all_locations": True,
                "item_variation_data": {
                    "item_id": ITEM,
                    "name": "Cheveux longs",
                    "pricing_type": "FIXED_PRICING",
                    "price_money": _cad(6500),
                },
            }
        ],
    },
}
_REFUNDED: Final = {
    **EVENT_SHOWN,
    "type": "REFUND_POINTS",
    "location_id": LOCATION,
    "refund_points": {
        "loyalty_program_id": PROGRAM,
        "points": -20,
        "order_id": ORDER,
        "change_id": "remboursement-17",
    },
}
_GAINED: Final = {
    **EVENT_SHOWN,
    "type": "ACCUMULATE_POINTS",
    "location_id": LOCATION,
    "accumulate_points": {
        "loyalty_program_id": PROGRAM,
        "points": 20,
        "order_id": ORDER,
        "change_id": "echange-8",
    },
}
_CHANGED: Final = {
    "expired_before": 0,
    "forgiven": 0,
    "returned_reward_ids": [],
    "order_id": ORDER,
}

SALE_EXAMPLES: Final[Mapping[str, Example]] = {
    "CreateOrder": Example({"idempotency_key": KEY, "order": _ORDER_IN}, {"order": _ORDER}),
    "CalculateOrder": Example(
        {"order": _ORDER_IN},
        {
            "order": {
                name: value
                for name, value in _ORDER.items()
                if name not in {"id", "created_at", "updated_at", "occurred_at"}
            }
        },
    ),
    "RetrieveOrder": Example(None, {"order": _COUNTED}),
    "BatchRetrieveOrders": Example(
        {"location_id": LOCATION, "order_ids": [ORDER]}, {"orders": [_COUNTED]}
    ),
    "BatchUpsertCatalogObjects": Example(
        {
            "idempotency_key": KEY,
            "batches": [
                {
                    "objects": [
                        {"type": "CATEGORY", "id": "#soins", "category_data": {"name": "Soins"}},
                        {
                            "type": "ITEM",
                            "id": "#soin",
                            "item_data": {
                                "name": "Soin profond",
                                "categories": [{"id": "#soins"}],
                                "variations": [
                                    {
                                        "type": "ITEM_VARIATION",
                                        "id": "#soin-long",
                                        "item_variation_data": {
                                            "name": "Cheveux longs",
                                            "pricing_type": "FIXED_PRICING",
                                            "price_money": _cad(6500),
                                        },
                                    }
                                ],
                            },
                        },
                    ]
                }
            ],
        },
        {
            "objects": [_CATEGORY, _ITEM],
            "updated_at": THEN,
            "id_mappings": [
                {"client_object_id": "#soins", "object_id": CATEGORY},
                {"client_object_id": "#soin", "object_id": ITEM},
                {"client_object_id": "#soin-long", "object_id": VARIATION},
            ],
        },
    ),
    "ListCatalog": Example(None, {"objects": [_CATEGORY, _ITEM]}),
    "GetCatalogObject": Example(None, {"object": _ITEM, "related_objects": [_CATEGORY]}),
    "CalculateLoyaltyPoints": Example(
        {"order_id": OPEN_ORDER, "loyalty_account_id": ACCOUNT},
        {
            "points": 60,
            "promotion_points": 0,
            "tier_bonus_points": 0,
            "silent_line_items": [
                {"uid": "shampoing", "name": "Shampoing", "text": "earns no points"}
            ],
            "reward_available": True,
        },
    ),
    "CreateLoyaltyRefund": Example(
        {
            "idempotency_key": KEY,
            "refund": {
                "order_id": ORDER,
                "refund_id": "remboursement-17",
                "type": "CUSTOM_AMOUNT",
                "amount_money": _cad(2000),
            },
        },
        {"events": [_REFUNDED], "points": -20, "balance": 60, **_CHANGED},
    ),
    "CreateLoyaltyExchange": Example(
        {
            "idempotency_key": KEY,
            "exchange": {
                "order_id": ORDER,
                "exchange_id": "echange-8",
                "returned": [{"uid": "coupe", "quantity": "1"}],
                "added": [
                    {
                        "uid": "coloration",
                        "name": "Coloration",
                        "quantity": "1",
                        "base_price_money": _cad(10_000),
                    }
                ],
            },
        },
        {"events": [_GAINED], "points": 20, "balance": 80, **_CHANGED},
    ),
    "ListLedgerEntries": Example(
        None,
        {
            "loyalty_account_id": ACCOUNT,
            "balance": 60,
            "text": "balance 60 = 80 earned − 20 refunded",
            "totals": [
                {"type": "EARN", "points": 80, "entries": 1},
                {"type": "REFUND", "points": -20, "entries": 1},
            ],
            "entries": [
                {
                    "id": EVENT,
                    "sequence": 2,
                    "type": "REFUND",
                    "points": -20,
                    "balance_after": 60,
                    "created_at": THEN,
                    "recorded_at": THEN,
                    "location_id": LOCATION,
                    "actor": {"type": "API_KEY"},
                    "order_id": ORDER,
                    "change_id": "remboursement-17",
                }
            ],
        },
    ),
    "ApplyLoyaltyReward": Example(
        {"order_id": OPEN_ORDER},
        {"reward": {**REWARD_SHOWN, "order_id": OPEN_ORDER}, "order": _DISCOUNTED},
    ),
    "RemoveLoyaltyReward": Example(
        {"order_id": OPEN_ORDER}, {"reward": REWARD_SHOWN, "order": _ORDER}
    ),
}
