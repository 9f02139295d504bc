"""Deliveries: one message to one person, from queued to its end, and when it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, TypeAlias
from uuid import UUID

from services.messaging.domain.chain import ChainId, Language, MemberId
from services.messaging.domain.consent import Barrier, Channel, MessageClass

DeliveryId = NewType("DeliveryId", UUID)

# Eight tries with doubling pauses span about a quarter of an hour: an outage, not a dead provider.
ATTEMPTS_MAX = 8
RETRY_SECONDS_MIN = 5.0
RETRY_SECONDS_MAX = 300.0
# Above every provider's own timeout, so that a row of a living process is never looked up.
LEASE = timedelta(seconds=20)
# A provider that does not even answer lookups for so long leaves the outcome unknown.
LOOKUPS_MAX = 10
# The chain's event travels on another topic than the contact's; it is a moment behind at most.
CHAIN_WAIT = timedelta(seconds=1)
CHAIN_WAIT_MAX = timedelta(minutes=10)
# A welcome that comes a day later welcomes nobody.
WELCOME_AGE_MAX = timedelta(hours=24)
ANSWER_AGE_MAX = timedelta(hours=1)
# News of what happened is news for two days: a night's quiet and a full day's cap fit into it.
NEWS_AGE_MAX = timedelta(hours=48)
# Whoever joins at a till or a tablet earns at once: her welcome waits for it (SQ-27).
FIRST_POINTS_WAIT = timedelta(seconds=2)
# News of a change that staff have just made is on its way when they press "Envoyer le statut".
STATUS_WAIT = timedelta(seconds=1)


class MessageKind(StrEnum):
    """What a message says."""

    ONE_TIME_CODE = "ONE_TIME_CODE"
    KEYWORD_ANSWER = "KEYWORD_ANSWER"
    # The link that a keyword asked for (LS-20).
    TEXT_TO_JOIN = "TEXT_TO_JOIN"
    WELCOME = "WELCOME"
    RECEIPT = "RECEIPT"
    STATUS = "STATUS"
    DEDUCTION = "DEDUCTION"
    TIER_CHANGE = "TIER_CHANGE"
    EXPIRY_WARNING = "EXPIRY_WARNING"
    COLLECT_EMAIL = "COLLECT_EMAIL"
    OFFER = "OFFER"
    BIRTHDAY = "BIRTHDAY"
    ANNOUNCEMENT = "ANNOUNCEMENT"


CLASS_OF: Final[Mapping[MessageKind, MessageClass]] = {
    MessageKind.ONE_TIME_CODE: MessageClass.SECURITY,
    MessageKind.KEYWORD_ANSWER: MessageClass.SECURITY,
    MessageKind.TEXT_TO_JOIN: MessageClass.SECURITY,
    MessageKind.WELCOME: MessageClass.SERVICE,
    MessageKind.RECEIPT: MessageClass.SERVICE,
    MessageKind.STATUS: MessageClass.SERVICE,
    MessageKind.DEDUCTION: MessageClass.SERVICE,
    MessageKind.TIER_CHANGE: MessageClass.SERVICE,
    MessageKind.EXPIRY_WARNING: MessageClass.SERVICE,
    MessageKind.COLLECT_EMAIL: MessageClass.SERVICE,
    MessageKind.OFFER: MessageClass.MARKETING,
    MessageKind.BIRTHDAY: MessageClass.MARKETING,
    MessageKind.ANNOUNCEMENT: MessageClass.MARKETING,
}


class DeliveryState(StrEnum):
    """Where a delivery is. States only move forward; `QUEUED` may be reached again by a retry."""

    QUEUED = "QUEUED"
    # Handed to a provider whose answer is not written yet.
    SENDING = "SENDING"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A message that someone should get. `key` names its cause: one cause, one delivery."""

    chain_id: ChainId
    id: DeliveryId
    kind: MessageKind
    key: str
    member_id: MemberId | None
    channel: Channel
    address: str
    # None where nobody knows it: both languages are told.
    language: Language | None
    # What the words need; never a code.
    params: Mapping[str, str]
    sealed_code: bytes | None
    # Real time after which it is of no use to anybody.
    expires_at: datetime | None
    # Business time of the chain.
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as it stands."""

    chain_id: ChainId
    id: DeliveryId
    kind: MessageKind
    member_id: MemberId | None
    channel: Channel
    address: str
    language: Language | None
    params: Mapping[str, str]
    sealed_code: bytes | None
    state: DeliveryState
    attempts: int
    lookups: int
    sender: str
    expires_at: datetime | None
    occurred_at: datetime
    recorded_at: datetime
    first_attempt_at: datetime | None
    # Business time for which it waited last: quiet hours or the day's cap.
    waits_until: datetime | None = None
    # Of a text whose outcome is open: what it said, sealed.
    sealed_words: bytes | None = None

    @property
    def message_class(self) -> MessageClass:
        """Which question of consent it has to ask."""
        return CLASS_OF[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEntry:
    """A line of the journal: no address, no words."""

    sequence: int
    chain_id: ChainId
    id: DeliveryId
    kind: MessageKind
    member_id: MemberId | None
    channel: Channel
    state: DeliveryState
    reason: str
    attempts: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Hand it to the provider now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """It ends here, unsent."""

    state: DeliveryState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not yet; costs no attempt."""

    # Real time.
    until: datetime
    reason: str
    # The same moment by the chain's business time, where it waits for one.
    business_until: datetime | None = None


Verdict: TypeAlias = Send | Close | Wait


def verdict(
    delivery: Delivery,
    *,
    chain_known: bool,
    provider_known: bool,
    barrier: Barrier | None,
    now: datetime,
    hold: Wait | None = None,
) -> Verdict:
    """What happens to a queued delivery whose turn has come, by real time `now`.

    `hold` is what quiet hours or the day's cap ask for; it comes last, so that what may not leave
    at all does not wait for it.
    """
    if delivery.expires_at is not None and now >= delivery.expires_at:
        return Close(state=DeliveryState.EXPIRED, reason="too_late")
    if not chain_known:
        if now - delivery.recorded_at >= CHAIN_WAIT_MAX:
            return Close(state=DeliveryState.FAILED, reason="chain_unknown")
        return Wait(until=now + CHAIN_WAIT, reason="chain_unknown")
    if barrier is not None:
        return Close(state=DeliveryState.BLOCKED, reason=barrier.value)
    if not provider_known:
        return Close(state=DeliveryState.FAILED, reason="no_provider")
    return hold or Send()


def retry_at(*, attempts: int, now: datetime, retry_after_seconds: float = 0.0) -> datetime | None:
    """When a delivery that did not leave is tried again; None when it has been tried enough.

    Pauses double from RETRY_SECONDS_MIN to RETRY_SECONDS_MAX; a provider may ask for a longer one.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    pause = min(RETRY_SECONDS_MIN * 2 ** (attempts - 1), RETRY_SECONDS_MAX)
    asked = min(retry_after_seconds, RETRY_SECONDS_MAX * 4)
    return now + timedelta(seconds=max(pause, asked))
