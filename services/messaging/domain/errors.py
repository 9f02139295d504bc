"""What messaging refuses, each with a stable code that callers choose their words by."""

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


class NotFound(Refusal):
    """Nothing here by that id, or a live chain asked for what only a sandbox has."""

    code = "not_found"


class MemberUnknown(Refusal):
    """No such member in this chain."""

    code = "member_unknown"
    field = "member_id"


class ConsentBelongsToMember(Refusal):
    """Anyone but the member herself tried to change her consent (LS-77, D11)."""

    code = "consent_belongs_to_member"
    field = "actor"


class EmailMissing(Refusal):
    """Consent to e-mail from a member who has given no e-mail address."""

    code = "email_missing"
    field = "email"


class WordingVersionRequired(Refusal):
    """A consent without the words that were agreed to: that is no evidence."""

    code = "wording_version_required"
    field = "wording_version"


class PhoneInvalid(Refusal):
    """A number that no phone can have."""

    code = "phone_invalid"


class ProviderMessageIdInvalid(Refusal):
    """An inbound text without its provider's id, by which a replay is known."""

    code = "provider_message_id_invalid"
    field = "provider_message_id"


class CursorInvalid(Refusal):
    """A cursor that this list did not hand out."""

    code = "invalid_cursor"
    field = "cursor"


class LimitInvalid(Refusal):
    """More, or fewer, entries asked for than one page may hold."""

    code = "limit_invalid"
    field = "limit"


class NumberOutOfRange(Refusal):
    """A number below or above what is possible here."""

    code = "number_out_of_range"


class QuietHoursInvalid(Refusal):
    """Quiet hours that are no times of day, or leave no day to write in."""

    code = "quiet_hours_invalid"
    field = "quiet_from"


class ReceiptModeInvalid(Refusal):
    """A choice of receipts that does not exist."""

    code = "receipt_mode_invalid"
    field = "receipts"


class TemplateInvalid(Refusal):
    """Words that cannot be rendered; `what` and `line` say where to look, `field` in which."""

    code = "template_invalid"
    field = "body"


class TemplateEmpty(TemplateInvalid):
    """A message without a word."""

    code = "template_empty"


class TemplateTooLong(TemplateInvalid):
    """More than `length_max` characters, before anything is filled in."""

    code = "template_too_long"


class TemplateUnknown(Refusal):
    """No words of a chain's own are possible for this kind, channel and language."""

    code = "template_unknown"
    field = "kind"


class MessageStopped(Refusal):
    """A service message to somebody who said STOP on that channel (SQ-32)."""

    code = "message_stopped"
    field = "member_id"


class ContactMissing(Refusal):
    """A message to a member who has given neither phone nor e-mail."""

    code = "contact_missing"
    field = "member_id"


class TokenInvalid(Refusal):
    """A link that we did not make, or that was changed on its way."""

    code = "token_invalid"
    field = "token"


class PlanRequired(Refusal):
    """Something that only Essentiel and Pro have (examples P3)."""

    code = "plan_required"
    field = "plan"


class ProRequired(PlanRequired):
    """Something that only Pro has (examples P1)."""

    code = "pro_required"


class OperatorRequired(Refusal):
    """A live chain's number is set up by an operator: the owner has to ask us (LS-19)."""

    code = "operator_required"
    field = "actor"


class NumberTaken(Refusal):
    """A number that is another chain's, or the shared one."""

    code = "number_taken"
    field = "number"


class NumberMissing(Refusal):
    """A keyword for a chain that has no number yet."""

    code = "number_missing"
    field = "number"


class KeywordInvalid(Refusal):
    """A keyword that is no single word of a possible length."""

    code = "keyword_invalid"
    field = "keyword"


class KeywordReserved(Refusal):
    """A keyword that already means STOP, YES or HELP."""

    code = "keyword_reserved"
    field = "keyword"


class ChainUnknown(Refusal):
    """Enrollment's event about the chain has not arrived yet; worth asking again in a moment."""

    code = "chain_unknown"
    field = "chain_id"
    retry_after_seconds = 1


class WordsRequired(Refusal):
    """A message that says nothing on any channel."""

    code = "words_required"


class OfferNotFound(Refusal):
    """No such offer in this chain, or it was deleted (LS-67)."""

    code = "offer_not_found"
    field = "offer_id"


class OfferEnded(Refusal):
    """Nobody could take the offer any more on the day on which the message leaves (LS-52)."""

    code = "offer_ended"
    field = "offer_id"


class SendAtPast(Refusal):
    """A time of sending that is over."""

    code = "send_at_past"
    field = "send_at"


class PostalAddressMissing(Refusal):
    """An e-mail that advertises names its sender's postal address, and there is none yet."""

    code = "postal_address_missing"


class ScheduledTypeInvalid(Refusal):
    """A type of scheduled message that does not exist (LS-65)."""

    code = "scheduled_type_invalid"
    field = "type"


class AudienceInvalid(Refusal):
    """More members or choices named by hand than one send takes."""

    code = "audience_invalid"
