"""An offer as the idempotency table keeps it, so that a resent request gets the first answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.offers.domain.offer import ChainId, Offer, OfferId, OfferTerms, OfferType


def to_answer(offer: Offer) -> bytes:
    """An offer as the idempotency table keeps it."""
    terms = offer.terms
    return json.dumps(
        {
            "chain_id": str(offer.chain_id),
            "id": str(offer.id),
            "title": terms.title,
            "description": terms.description,
            "exclusion": terms.exclusion,
            "start_date": terms.start_date.isoformat(),
            "end_date": terms.end_date.isoformat(),
            "coupon_expiry_date": (
                terms.coupon_expiry_date.isoformat() if terms.coupon_expiry_date else None
            ),
            "shown_in_app": terms.shown_in_app,
            "created_at": offer.created_at.isoformat(),
            "image_digest": offer.image_digest,
        }
    ).encode()


def from_answer(answer: bytes) -> Offer:
    """The offer as it was when it was made."""
    kept: Mapping[str, Any] = json.loads(answer)
    expiry = kept["coupon_expiry_date"]
    created_at = datetime.fromisoformat(kept["created_at"])
    return Offer(
        chain_id=ChainId(UUID(kept["chain_id"])),
        id=OfferId(UUID(kept["id"])),
        terms=OfferTerms(
            type=OfferType.INSTANT,
            title=kept["title"],
            description=kept["description"],
            exclusion=kept["exclusion"],
            start_date=date.fromisoformat(kept["start_date"]),
            end_date=date.fromisoformat(kept["end_date"]),
            coupon_expiry_date=date.fromisoformat(expiry) if expiry else None,
            shown_in_app=kept["shown_in_app"],
        ),
        version=1,
        created_at=created_at,
        updated_at=created_at,
        deleted_at=None,
        # Answers that were kept before offers had pictures do not name one.
        image_digest=kept.get("image_digest", ""),
    )
