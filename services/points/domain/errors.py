"""What points refuses, told so that a person can be told: a stable code, the field, the numbers."""

from __future__ import annotations


class Refusal(Exception):
    """An expected no. `params` hold what the words need: limits and amounts, never a person."""

    code: str = "refused"
    field: str = ""
    retry_after_seconds: int = 0

    def __init__(self, *, field: str | None = None, **params: object) -> None:
        super().__init__(self.code)
        if field is not None:
            self.field = field
        self.params: dict[str, str] = {key: str(value) for key, value in params.items()}


class ChainUnknown(Refusal):
    """There is no such chain."""

    code = "chain_unknown"
    field = "chain_id"


class ProgramUnknown(Refusal):
    """The chain has no such program, or none at all yet."""

    code = "program_unknown"
    field = "program_id"


class ProgramInactive(Refusal):
    """The program gives no points at present."""

    code = "program_inactive"
    field = "program_id"


class ProgramLimit(Refusal):
    """The chain has as many programs as it may have; `limit` says how many."""

    code = "program_limit"


class AccountUnknown(Refusal):
    """The chain has no such account."""

    code = "account_unknown"
    field = "account_id"


class SalonUnknown(Refusal):
    """The chain has no such salon, or its news has not arrived here yet; worth asking again."""

    code = "salon_unknown"
    field = "salon_id"
    retry_after_seconds = 1


class SalonInactive(Refusal):
    """The salon is closed."""

    code = "salon_inactive"
    field = "salon_id"


class SalonNotInProgram(Refusal):
    """The program does not run in this salon."""

    code = "salon_not_in_program"
    field = "salon_id"


class EarnTokenInvalid(Refusal):
    """The scanned code is altered, of another chain, or of another program."""

    code = "earn_token_invalid"
    field = "earn_token"


class GrantInvalid(Refusal):
    """No such grant, or too late, or of another session: staff enter the code again (LS-25)."""

    code = "grant_invalid"
    field = "grant_id"


class OriginRequired(Refusal):
    """The earn does not say how it came about: scan, typed code, tablet or till."""

    code = "origin_required"
    field = "origin"


class PointsInvalid(Refusal):
    """The number of points is none that may be given this way; `minimum` and `maximum` say which.

    Zero, negative and too large numbers alike (M10, LS-73).
    """

    code = "points_invalid"
    field = "points"


class CodeRequired(Refusal):
    """More than one point needs the multi-point code as well (LS-01, LS-27, M7)."""

    code = "code_required"
    field = "multi_point_code"


class CodeInvalid(Refusal):
    """The typed code is not the program's; nothing is said of whose it may be (M9, M16)."""

    code = "code_invalid"
    field = "points_code"


class CodesUnavailable(Refusal):
    """Wrong tries cannot be counted just now, so no code is looked at; scans still work."""

    code = "codes_unavailable"
    retry_after_seconds = 5


class CodesLocked(Refusal):
    """Too many wrong codes in a row for this account; a new code of the program opens it again."""

    code = "codes_locked"


class CodeFormInvalid(Refusal):
    """A code that an owner wishes is not of `digits_min` to `digits_max` digits (LS-06, M11)."""

    code = "code_form_invalid"


class CodesAlike(Refusal):
    """The code that opens one point must not open many: both codes of a program differ."""

    code = "codes_alike"
    field = "multi_point_code"


class OccurredTooEarly(Refusal):
    """The earn lies further back than `hours_max` hours."""

    code = "occurred_too_early"
    field = "occurred_at"


class OccurredInFuture(Refusal):
    """The earn lies further ahead than `minutes_max` minutes: the device's clock is wrong."""

    code = "occurred_in_future"
    field = "occurred_at"


class BalanceTooLarge(Refusal):
    """The account cannot hold that many points."""

    code = "balance_too_large"
    field = "points"


class InsufficientPoints(Refusal):
    """The reward costs `requested_points` and the balance is `available_points`."""

    code = "insufficient_points"
    field = "points"


class BalanceBelowZero(Refusal):
    """An adjustment by hand would leave less than nothing of `balance` (LS-73, D3)."""

    code = "balance_below_zero"
    field = "points"


class ReasonRequired(Refusal):
    """An adjustment by hand names its reason (SQ-30, D17)."""

    code = "reason_required"
    field = "reason"


class NoteRequired(Refusal):
    """The reason "other" needs words."""

    code = "note_required"
    field = "note"


class TextInvalid(Refusal):
    """A text is missing, longer than `length_max`, or has control characters in it."""

    code = "text_invalid"


class NumberOutOfRange(Refusal):
    """A number lies outside of `minimum` to `maximum`."""

    code = "number_out_of_range"


class IdInvalid(Refusal):
    """An id that the request needs is missing or none."""

    code = "id_invalid"


class KeyInvalid(Refusal):
    """The idempotency key is missing or longer than `length_max`."""

    code = "key_invalid"
    field = "idempotency_key"


class CursorInvalid(Refusal):
    """The cursor is not one of ours, or of another search."""

    code = "cursor_invalid"
    field = "cursor"


class DebitUnknown(Refusal):
    """No points were ever taken for this reward."""

    code = "debit_unknown"
    field = "reward_id"


class Overloaded(Refusal):
    """More earns are waiting than can be served soon; nothing was done, send it again."""

    code = "overloaded"
    retry_after_seconds = 1


class RuleTypeUnknown(Refusal):
    """An accrual rule is none of VISIT, SPEND, ITEM_VARIATION, CATEGORY."""

    code = "rule_type_unknown"
    field = "accrual_rules"


class RuleIncomplete(Refusal):
    """An accrual rule lacks what its type needs; the field says what."""

    code = "rule_incomplete"
    field = "accrual_rules"


class RuleFieldForeign(Refusal):
    """An accrual rule carries data of another type than its own; the field says which."""

    code = "rule_field_foreign"
    field = "accrual_rules"


class ExclusionNotAllowed(Refusal):
    """Items and categories are excluded from spending only, not from other rules (SQ-57)."""

    code = "exclusion_not_allowed"
    field = "accrual_rules"


class ExpiryPolicyInvalid(Refusal):
    """Points expire never or after `minimum` to `maximum` whole months, written "P3M" (D27)."""

    code = "expiry_policy_invalid"
    field = "expiration_policy"


class CurrencyInvalid(Refusal):
    """Not a currency of ISO 4217."""

    code = "currency_invalid"
    field = "currency"
