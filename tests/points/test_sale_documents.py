"""What is kept of a sale is all that its refunds need (SQ-44, SQ-56)."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from services.points.domain import refunds
from services.points.domain.accrual import AccrualRule, TaxMode
from services.points.domain.ids import ChangeId, LineUid, PromotionId, RewardId, TierId
from services.points.domain.promotions import Addition, Multiplier, PromotionTerms
from services.points.domain.refunds import Change, Exchange
from services.points.domain.terms import (
    DebtRule,
    RewardOnRefund,
    SaleReward,
    VisitRefundBasis,
)
from services.points.storage import sale_documents as documents
from tests.points.tally import (
    COUPE,
    COUPE_2,
    PRODUCTS,
    SERVICES_ONLY,
    SOINS,
    SOINS_5,
    VISIT_20,
    custom,
    full,
    items,
    line,
    sold,
)

PROMOTIONS = (
    PromotionTerms(
        id=PromotionId(UUID(int=7)),
        incentive=Multiplier(multiplier=Decimal("1.333")),
        minimum_spend_minor=500,
        qualifying_category_ids=frozenset({SOINS}),
    ),
    PromotionTerms(
        id=PromotionId(UUID(int=8)),
        incentive=Addition(points=3),
        qualifying_item_ids=frozenset({COUPE}),
    ),
)
CHANGES: list[Change] = [
    items("a*0.5", id="1"),
    custom(700, id="2"),
    Exchange(id=ChangeId("3"), returned=items("b").lines, added=(line("c", 900, quantity="0.3"),)),
    full(id="4"),
]


@pytest.mark.parametrize(
    "rule", [replace(SERVICES_ONLY, tax_mode=TaxMode.AFTER_TAX), VISIT_20, COUPE_2, SOINS_5]
)
def test_a_sale_that_was_kept_refunds_as_it_would_have(rule: AccrualRule) -> None:
    """Lines, terms, worth and changes go through JSON and come back the same, and so do points."""
    settled = sold(
        rule,
        [
            replace(line("a", 4000, quantity="1.5", variation=COUPE), tax_minor=90),
            line("b", 2500, category=SOINS),
            line("p", 1500, category=PRODUCTS),
        ],
        tip_minor=250,
        tier_id=TierId(UUID(int=6)),
        tier_multiplier=Decimal("1.25"),
        promotions=PROMOTIONS,
        expiry_policy="P12M",
        visit_refund_basis=VisitRefundBasis.REFUNDED,
        debt_rule=DebtRule.CLAMP_ZERO,
        rewards=(
            SaleReward(
                reward_id=RewardId(UUID(int=5)),
                on_refund=RewardOnRefund.RETURN,
                line_uids=(LineUid("a"),),
            ),
        ),
    )
    kept = json.loads(
        json.dumps(
            {
                "lines": [documents.line_document(one) for one in settled.sale.lines],
                "terms": documents.terms_document(settled.terms),
                "worth": documents.worth_document(settled.worth),
                "changes": [documents.change_document(change) for change in CHANGES],
            }
        )
    )

    again = replace(
        settled,
        sale=replace(settled.sale, lines=tuple(documents.line_from(one) for one in kept["lines"])),
        terms=documents.terms_from(kept["terms"]),
        worth=documents.worth_from(kept["worth"]),
    )
    changes = [documents.change_from(change) for change in kept["changes"]]

    assert (again, changes) == (settled, CHANGES)
    for place in range(len(changes)):
        assert refunds.remains(again, changes[:place]) == refunds.remains(settled, CHANGES[:place])


def test_a_change_of_no_known_type_is_never_guessed() -> None:
    with pytest.raises(ValueError, match="BARTER"):
        documents.change_from({"type": "BARTER", "id": "1"})
