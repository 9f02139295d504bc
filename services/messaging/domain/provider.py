"""The one port through which messages leave; Twilio, SMTP and the sandbox mailbox stand behind it.

A provider answers in one of four ways, and the difference between "it did not go" and "nobody
knows" is what keeps a person from getting a message twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import DeliveryId, MessageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message ready to leave."""

    delivery_id: DeliveryId
    chain_id: ChainId
    kind: MessageKind
    channel: Channel
    to: str
    # The number or address that it comes from, and the name that e-mail shows beside it.
    sender: str
    sender_name: str
    # Empty for SMS.
    subject: str
    body: str
    # Of e-mail that may be refused: the link of its RFC 8058 headers; empty otherwise.
    unsubscribe_url: str = ""
    # Business time of the chain; what the sandbox mailbox shows.
    occurred_at: datetime
    # Real time at which the first attempt began: a lookup need not search before it.
    first_attempt_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has it, under its own id."""

    provider_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The provider will never take it; asking again changes nothing."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """It has certainly not left, and may be tried again."""

    reason: str
    retry_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """It may have left: the answer was lost. Never send again before looking it up."""

    reason: str


SendOutcome: TypeAlias = Accepted | Rejected | TryLater | Unclear


class Lookup(StrEnum):
    """What a provider knows of a message whose answer was lost, when it has not got it."""

    # It never arrived there: it may be sent again.
    NOT_THERE = "not_there"
    # This provider cannot say, today or ever.
    CANNOT_SAY = "cannot_say"
    # It did not answer; ask again later.
    TRY_LATER = "try_later"


class Provider(Protocol):
    """Someone who carries messages."""

    @property
    def name(self) -> str:
        """What the journal calls it."""

    async def send(self, message: Outgoing) -> SendOutcome:
        """Hand a message over. Raises nothing; answers within its own timeout."""

    async def find(self, message: Outgoing) -> Accepted | Lookup:
        """Look up whether a message was handed over before. Raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Who carries what: the mailbox for sandbox chains, the others for live ones."""

    mailbox: Provider
    sms: Provider | None
    email: Provider | None

    def choose(self, channel: Channel, *, sandbox: bool) -> Provider | None:
        """Who carries this; None where a live chain's operator has set up nobody."""
        if sandbox:
            return self.mailbox
        return self.sms if channel is Channel.SMS else self.email
