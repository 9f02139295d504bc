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


class MessageKind(StrEnum):
    """What a message says."""

    ONE_TIME_CODE = "ONE_TIME_CODE"
    KEYWORD_ANSWER = "KEYWORD_ANSWER"
    WELCOME = "WELCOME"


CLASS_OF: Final[Mapping[MessageKind, MessageClass]] = {
    MessageKind.ONE_TIME_CODE: MessageClass.SECURITY,
    MessageKind.KEYWORD_ANSWER: MessageClass.SECURITY,
    MessageKind.WELCOME: MessageClass.SERVICE,
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

    until: datetime


Verdict: TypeAlias = Send | Close | Wait


def verdict(
    delivery: Delivery,
    *,
    chain_known: bool,
    provider_known: bool,
    barrier: Barrier | None,
    now: datetime,
) -> Verdict:
    """What happens to a queued delivery whose turn has come, by real time `now`."""
    if delivery.expires_at is not None and now >= delivery.expires_at:
        return Close(state=DeliveryState.EXPIRED, reason="too_late")
    if not chain_known:
        if now - delivery.recorded_at >= CHAIN_WAIT_MAX:
            return Close(state=DeliveryState.FAILED, reason="chain_unknown")
        return Wait(until=now + CHAIN_WAIT)
    if barrier is not None:
        return Close(state=DeliveryState.BLOCKED, reason=barrier.value)
    if not provider_known:
        return Close(state=DeliveryState.FAILED, reason="no_provider")
    return Send()


def retry_at(*, attempts: int, now: datetime, retry_after_seconds: float = 0.0) -> datetime | None:
    """When a delivery that did not leave is tried again; None when it has been tried enough.

    Pauses double from RETRY_SECONDS_MIN to RETRY_SECONDS_MAX; a provider may ask for a longer one.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    pause = min(RETRY_SECONDS_MIN * 2 ** (attempts - 1), RETRY_SECONDS_MAX)
    asked = min(retry_after_seconds, RETRY_SECONDS_MAX * 4)
    return now + timedelta(seconds=max(pause, asked))
