"""Examples of the calls that tell people: pictures of offers, settings, schedules, sends."""

from __future__ import annotations

from typing import Any, Final

from services.gateway.example_ids import KEY, OFFER, THEN, Example

OFFER_IN: Final = {
    "title": "Soin offert",
    "description": "Un soin hydratant avec toute coupe.",
    "start_date": "2026-12-01",
    "end_date": "2026-12-31",
    "coupon_expiry_date": "2027-01-31",
}
OFFER_SHAPE: Final[dict[str, Any]] = {
    **OFFER_IN,
    "id": OFFER,
    "type": "INSTANT",
    "exclusion": "",
    "shown_in_app": True,
    "visible_now": False,
    "created_at": THEN,
    "updated_at": THEN,
    "version": 1,
}
_PICTURED: Final = {
    **OFFER_SHAPE,
    "image_url": f"https://meche.example/m/salon-leonie/offers/{OFFER}/image/5f1d…",
}
_LATER: Final = {
    "start_date": "2027-12-01",
    "end_date": "2027-12-31",
    "coupon_expiry_date": "2028-01-31",
}

TELLING_EXAMPLES: Final = {
    "DuplicateOffer": Example({"idempotency_key": KEY}, {"offer": {**OFFER_SHAPE, **_LATER}}),
    "SetOfferImage": Example({"image": "iVBORw0KGgo…"}, {"offer": _PICTURED}),
    "DeleteOfferImage": Example(None, {"offer": OFFER_SHAPE}),
}
