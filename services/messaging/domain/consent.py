"""Consent by address, and which message may leave (D11, D18, D36; LS-68, LS-77 to LS-79).

Consent belongs to an address, since a STOP comes from one. Three classes of message ask three
different questions; the answer counts at the moment of sending.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.messaging.domain.chain import ChainId, MemberId


class Channel(StrEnum):
    """A way to reach a person."""

    SMS = "SMS"
    EMAIL = "EMAIL"


class ConsentSource(StrEnum):
    """By which act a consent was given or withdrawn."""

    # A first grant that came with enrolment or import, with its evidence (D36).
    ENROLLMENT = "ENROLLMENT"
    # Her own tick in "mon compte" (LS-78).
    CLIENT_APP = "CLIENT_APP"
    SMS_STOP = "SMS_STOP"
    SMS_YES = "SMS_YES"
    # The link in an e-mail, or the button that her mail program makes of it (RFC 8058).
    EMAIL_LINK = "EMAIL_LINK"


class MessageClass(StrEnum):
    """What a message is for, which decides whom it needs to ask (D18)."""

    # One-time codes, and answers to what the person has just texted or asked for.
    SECURITY = "SECURITY"
    # Enrolment, receipt, status, deduction, tier, expiry warning.
    SERVICE = "SERVICE"
    # Offers, birthday, scheduled and program-change messages.
    MARKETING = "MARKETING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of a person with one chain."""

    chain_id: ChainId
    channel: Channel
    # E.164, or an e-mail address in lower case.
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One dated act about one address; never changed, only followed by another."""

    address: Address
    member_id: MemberId | None
    granted: bool
    source: ConsentSource
    # What proves it: the version of the words beside the box, or the text message.
    evidence: dict[str, str]
    # The number that the text went to, for STOP and YES (D26); empty otherwise.
    number: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What counts for an address now: the last act about it."""

    granted: bool
    source: ConsentSource
    changed_at: datetime


class Barrier(StrEnum):
    """Why a message may not leave; stands in the journal as the delivery's reason."""

    STOPPED = "stopped"
    NOT_CONSENTED = "not_consented"
    NOT_VERIFIED = "not_verified"
    ERASED = "erased"
    ADDRESS_CHANGED = "address_changed"


def may_send(
    message_class: MessageClass,
    *,
    standing: Standing | None,
    number_stopped: bool = False,
    contact_verified: bool = False,
    erased: bool = False,
    address_changed: bool = False,
) -> Barrier | None:
    """What stands in the way of a message at this moment; None when it may leave.

    `standing` is None where nobody ever said anything about the address. `number_stopped` says
    that the phone texted STOP to our number before any chain wrote to it (D26). `erased` says that
    the member it is for asked to be forgotten after it was queued, `address_changed` that the
    address is hers no more: whoever has it now is not told what concerns her.
    """
    if message_class is MessageClass.SECURITY:
        return None
    if erased:
        return Barrier.ERASED
    if number_stopped or (standing is not None and not standing.granted):
        return Barrier.STOPPED
    if message_class is MessageClass.SERVICE:
        return Barrier.ADDRESS_CHANGED if address_changed else None
    if standing is None:
        return Barrier.NOT_CONSENTED
    return None if contact_verified else Barrier.NOT_VERIFIED
