"""Sales as they were made, kept with the key that made them, so that a resend is told the same."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from services.points.domain.ids import ChainId, MemberId, SaleId, SalonId
from services.points.domain.kept_sales import KeptSale
from services.points.domain.sales import Sale
from services.points.storage.pricing_documents import (
    discount_document,
    discount_from,
    tax_document,
    tax_from,
)
from services.points.storage.sale_documents import line_document, line_from


def encode(kept: KeptSale) -> bytes:
    """A sale that was made just now: open, of its first version, without an account."""
    sale = kept.sale
    document = {
        "id": str(sale.id),
        "salon_id": str(sale.salon_id),
        "member_id": str(kept.member_id) if kept.member_id else None,
        "currency": sale.currency,
        "lines": [line_document(line) for line in sale.lines],
        "discounts": [discount_document(named) for named in kept.discounts],
        "taxes": [tax_document(named) for named in kept.taxes],
        "tip_minor": sale.tip_minor,
        "reference_id": kept.reference_id,
        "occurred_at": sale.occurred_at.isoformat(),
        "dated": kept.dated,
        "created_at": kept.created_at.isoformat(),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def decode(answer: bytes, *, chain_id: ChainId) -> KeptSale | SaleId:
    """The sale as it was made; only its id of a key from before sales were kept with it."""
    if len(answer) == len(UUID(int=0).bytes):
        return SaleId(UUID(bytes=answer))
    document: dict[str, Any] = json.loads(answer)
    discounts = tuple(discount_from(one) for one in document["discounts"])
    member_id = document["member_id"]
    created_at = datetime.fromisoformat(document["created_at"])
    return KeptSale(
        sale=Sale(
            chain_id=chain_id,
            id=SaleId(UUID(document["id"])),
            account_id=None,
            salon_id=SalonId(UUID(document["salon_id"])),
            currency=document["currency"],
            occurred_at=datetime.fromisoformat(document["occurred_at"]),
            lines=tuple(line_from(one) for one in document["lines"]),
            tip_minor=document["tip_minor"],
            discounts=tuple(named.discount for named in discounts),
        ),
        member_id=MemberId(UUID(member_id)) if member_id else None,
        discounts=discounts,
        taxes=tuple(tax_from(one) for one in document["taxes"]),
        reference_id=document["reference_id"],
        # Keys of before it was kept have none; nobody asks it of an answer.
        dated=document.get("dated", False),
        created_at=created_at,
        updated_at=created_at,
    )
