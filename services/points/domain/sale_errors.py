"""What points refuses of sales, refunds, the catalog, promotions and tiers."""

from __future__ import annotations

from services.points.domain.errors import Refusal


class LineRepeated(Refusal):
    """Two lines of a sale have one uid, `uid`."""

    code = "line_repeated"
    field = "line_items"


class LineUnknown(Refusal):
    """The sale has no line `uid`."""

    code = "line_unknown"
    field = "line_items"


class AmountAmbiguous(Refusal):
    """A discount or tax is either a percentage or an amount; this one is both or neither."""

    code = "amount_ambiguous"


class LinePriceRequired(Refusal):
    """The line says no price, and the catalog has none for what it names."""

    code = "line_price_required"
    field = "line_items.base_price_money"


class RefundExceedsSale(Refusal):
    """More would be refunded than remains of the sale; `remaining_minor` is what does."""

    code = "refund_exceeds_sale"
    field = "amount_money"


class QuantityExceedsLine(Refusal):
    """More of line `uid` would come back than the `remaining` of it."""

    code = "quantity_exceeds_line"
    field = "line_items"


class PeriodInvalid(Refusal):
    """A time period of a promotion is not understood at `part` (RFC 5545)."""

    code = "period_invalid"
    field = "available_time.time_periods"


class IncentiveInvalid(Refusal):
    """A promotion multiplies or adds: exactly one of the two."""

    code = "incentive_invalid"
    field = "incentive"


class MultiplierInvalid(Refusal):
    """A multiplier lies above 1 and up to `maximum`, with at most `decimals` decimals."""

    code = "multiplier_invalid"
    field = "multiplier"


class QualifyingInvalid(Refusal):
    """A promotion names items or categories, not both, and only where visits or spending earn."""

    code = "qualifying_invalid"
    field = "qualifying_item_variation_ids"


class TriggerLimitInvalid(Refusal):
    """A trigger limit is 1 to `maximum` times, of all time or of a day."""

    code = "trigger_limit_invalid"
    field = "trigger_limit"


class PromotionUnknown(Refusal):
    """The program has no such promotion."""

    code = "promotion_unknown"
    field = "promotion_id"


class PromotionLimit(Refusal):
    """As many promotions run or are planned as may; `limit` says how many."""

    code = "promotion_limit"


class PromotionOver(Refusal):
    """The promotion has ended or was canceled before."""

    code = "promotion_over"
    field = "promotion_id"


class TierLimit(Refusal):
    """The program has as many tiers as it may have; `limit` says how many (T10)."""

    code = "tier_limit"
    field = "tiers"


class TierUnknown(Refusal):
    """The program has no tier of that id, or it is named twice; a new one has no id yet."""

    code = "tier_unknown"
    field = "tiers.id"


class TierThresholdsInvalid(Refusal):
    """Tiers start at 0, where everybody is, and no two have the same threshold."""

    code = "tier_thresholds_invalid"
    field = "tiers"


class CatalogObjectUnknown(Refusal):
    """The chain's catalog has no such object `id`, or it is of another type than is meant here."""

    code = "catalog_object_unknown"
    field = "catalog_object_id"


class CatalogObjectRepeated(Refusal):
    """One upsert writes the object `id` twice."""

    code = "catalog_object_repeated"
    field = "objects"


class CatalogTypeInvalid(Refusal):
    """An object is none of ITEM, ITEM_VARIATION, CATEGORY, or was another of them before."""

    code = "catalog_type_invalid"
    field = "objects"


class CatalogFieldForeign(Refusal):
    """An object of the catalog carries data of another type than its own; the field says which."""

    code = "catalog_field_foreign"
    field = "objects"


class CatalogVersionStale(Refusal):
    """The object was changed since: it is at `version` now."""

    code = "catalog_version_stale"
    field = "objects"


class CategoryTreeInvalid(Refusal):
    """A category would lie in itself, or deeper than `depth_max`."""

    code = "category_tree_invalid"
    field = "objects"


class SaleUnknown(Refusal):
    """The chain has no such sale."""

    code = "sale_unknown"
    field = "sale_id"


class SaleCounted(Refusal):
    """The sale was counted: what was sold, to whom and with which rewards stays as it is."""

    code = "sale_counted"
    field = "sale_id"


class SaleOpen(Refusal):
    """The member's sale was not counted yet, so there is nothing to take back of it."""

    code = "sale_open"
    field = "sale_id"


class SaleOfAnother(Refusal):
    """The sale is another member's, or was counted for another account."""

    code = "sale_of_another"
    field = "member_id"


class SaleElsewhere(Refusal):
    """The sale was posted in another salon than the one that counts it."""

    code = "sale_elsewhere"
    field = "salon_id"


class SaleOrAmountRequired(Refusal):
    """A preview is of a sale or of an amount: one of the two."""

    code = "sale_or_amount_required"
    field = "sale_id"


class CurrencyForeign(Refusal):
    """Money of another currency than `currency`, in which the sale or the chain counts."""

    code = "currency_foreign"
    field = "currency"


class RewardOnAnotherSale(Refusal):
    """The reward is on another sale; it comes off that one first."""

    code = "reward_on_another_sale"
    field = "reward_id"


class RewardUndone(Refusal):
    """The reward's points came back: it goes on no sale any more (D35)."""

    code = "reward_undone"
    field = "reward_id"


class RefundKindRequired(Refusal):
    """A refund is of all, of lines or of an amount: it says which."""

    code = "refund_kind_required"
    field = "refund"


class ChangeReused(Refusal):
    """Another refund or exchange of this sale has this id already."""

    code = "change_reused"
    field = "change_id"
