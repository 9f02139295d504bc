"""What offers refuses, each with a stable code that callers choose their words by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Refusal(Exception):
    """Something asked for that the rules do not allow; nothing was changed."""

    code: ClassVar[str]
    field: str = ""

    def __init__(self, *, field: str = "", params: Mapping[str, str] | None = None) -> None:
        super().__init__(self.code)
        self.field = field or type(self).field
        self.params = dict(params or {})


class IdInvalid(Refusal):
    """An id that is not one of ours in form."""

    code = "id_invalid"


class IdempotencyKeyInvalid(Refusal):
    """No idempotency key, or a longer one than is kept."""

    code = "idempotency_key_invalid"
    field = "idempotency_key"


class TitleRequired(Refusal):
    """An offer without a title (LS-51)."""

    code = "title_required"
    field = "title"


class TextTooLong(Refusal):
    """A title, description or exclusion above its length."""

    code = "text_too_long"


class TextInvalid(Refusal):
    """Characters that no screen shows and no database keeps."""

    code = "text_invalid"


class DateRequired(Refusal):
    """An offer without its first or last day (LS-52)."""

    code = "date_required"


class DateInvalid(Refusal):
    """Not a day of the calendar in the form YYYY-MM-DD, or a year nobody plans for."""

    code = "date_invalid"


class EndBeforeStart(Refusal):
    """The last day lies before the first."""

    code = "end_before_start"
    field = "end_date"


class CouponExpiryBeforeStart(Refusal):
    """The coupon would have expired before anyone could take it."""

    code = "coupon_expiry_before_start"
    field = "coupon_expiry_date"


class ImageInvalid(Refusal):
    """Bytes that are not a PNG, JPEG or WebP, or not the one that they are said to be (LS-56)."""

    code = "image_invalid"
    field = "image"


class ImageTooLarge(Refusal):
    """More bytes than an offer's picture may have."""

    code = "image_too_large"
    field = "image"


class ImageNotFound(Refusal):
    """The offer has no picture, or another one by now: the chain's logo stands in (LS-56)."""

    code = "image_not_found"
    field = "digest"


class OfferNotFound(Refusal):
    """No such offer in this chain, or it was deleted."""

    code = "offer_not_found"
    field = "offer_id"


class ChainUnknown(Refusal):
    """Enrollment's event about the chain has not arrived yet; worth asking again in a moment."""

    code = "chain_unknown"
    field = "chain_id"
    retry_after_seconds = 1
