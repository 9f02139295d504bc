"""Everything that enrollment refuses, each with a stable code.

The five kinds say what went wrong in general; `rpc` maps each kind to one status. A refusal never
carries what the caller typed: it may be a person's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Refusal(Exception):
    """Something that a caller asked and that the rules do not allow; nothing was changed."""

    code: ClassVar[str]

    def __init__(self, *, field: str = "", params: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{self.code} {field}".rstrip())
        self.field = field
        self.params: dict[str, str] = dict(params or {})


class Invalid(Refusal):
    """Kind: a field does not hold what it may hold."""


class AlreadyThere(Refusal):
    """Kind: what must be unique is taken."""


class Unproven(Refusal):
    """Kind: the caller has not shown who they are."""


class NotNow(Refusal):
    """Kind: allowed in general, not in the present state."""


class NotFound(Refusal):
    """There is nothing with this id, slug or address in this chain; foreign ids answer so too."""

    code = "not_found"


# What a field holds.


class PhoneInvalid(Invalid):
    """Not a phone number that can be dialled; without a country code the chain's country counts."""

    code = "phone_invalid"


class EmailInvalid(Invalid):
    """Not an e-mail address."""

    code = "email_invalid"


class AddressRequired(Invalid):
    """Neither a phone nor an e-mail address: a member keeps at least one of them."""

    code = "address_required"


class NameInvalid(Invalid):
    """A name that is missing where it is needed, too long, or holds control characters."""

    code = "name_invalid"


class TextInvalid(Invalid):
    """A text that is too long or holds control characters."""

    code = "text_invalid"


class BirthdayInvalid(Invalid):
    """Not a day of the calendar, or in the future; the year may be left out."""

    code = "birthday_invalid"


class LanguageInvalid(Invalid):
    """Not a language that the product speaks."""

    code = "language_invalid"


class SourceInvalid(Invalid):
    """The door by which the member came is not named."""

    code = "source_invalid"


class EnrolledAtInvalid(Invalid):
    """The day of enrolment lies in the future, or before there were such programs."""

    code = "enrolled_at_invalid"


class ConsentInvalid(Invalid):
    """A first grant of consent without its channel or without the version of the words."""

    code = "consent_invalid"


class SlugInvalid(Invalid):
    """Not a web name: 2 to 40 lower-case letters, digits and hyphens, and none that we need."""

    code = "slug_invalid"


class ColorInvalid(Invalid):
    """Not a colour of the form #rrggbb."""

    code = "color_invalid"


class TimeZoneInvalid(Invalid):
    """Not a time zone of the IANA database."""

    code = "time_zone_invalid"


class CurrencyInvalid(Invalid):
    """Not a currency of ISO 4217."""

    code = "currency_invalid"


class PlanInvalid(Invalid):
    """Not a plan: partant, essentiel, pro."""

    code = "plan_invalid"


class LogoInvalid(Invalid):
    """Not a PNG or WebP image of at most 256 KiB."""

    code = "logo_invalid"


class PasswordInvalid(Invalid):
    """A password that is too short or too long."""

    code = "password_invalid"


class RoleInvalid(Invalid):
    """Not a role of staff: owner, manager, cashier."""

    code = "role_invalid"


class ScopesInvalid(Invalid):
    """An API key without a scope, or with one that does not exist."""

    code = "scopes_invalid"


class CursorInvalid(Invalid):
    """A cursor that we did not make, or that belongs to another question."""

    code = "cursor_invalid"


class LimitInvalid(Invalid):
    """A page size outside of what a page may hold."""

    code = "limit_invalid"


class QueryInvalid(Invalid):
    """A search that is too long, or names too many things at once."""

    code = "query_invalid"


class IdempotencyKeyInvalid(Invalid):
    """The key that makes a request repeatable is missing or too long."""

    code = "idempotency_key_invalid"


class ActorInvalid(Invalid):
    """The one who acts is not named by kind and id."""

    code = "actor_invalid"


class CodeWrong(Invalid):
    """The one-time code is wrong, expired, used, or was tried too often: all alike (D34)."""

    code = "code_wrong"


class ProofInvalid(Invalid):
    """The link is not ours, or is about an address that is hers no more."""

    code = "proof_invalid"


# What must be unique.


class MemberExists(AlreadyThere):
    """Another living member of the chain has this phone or e-mail address."""

    code = "member_exists"


class SlugTaken(AlreadyThere):
    """Another chain has this web name."""

    code = "slug_taken"


class EmailTaken(AlreadyThere):
    """Another staff account of the platform has this e-mail address."""

    code = "email_taken"


# Who is calling.


class Unauthenticated(Unproven):
    """The token is unknown, expired or revoked: all alike."""

    code = "unauthenticated"


class SessionSuperseded(Unproven):
    """A member's session that proved nothing ended when a code was entered on another device."""

    code = "session_superseded"


class CredentialsWrong(Unproven):
    """E-mail and password do not open an active staff account: all alike."""

    code = "credentials_wrong"


# The present state.


class LastOwner(NotNow):
    """A chain keeps at least one active owner."""

    code = "last_owner"


class LimitReached(NotNow):
    """The chain has as many of these as a chain may have."""

    code = "limit_reached"
