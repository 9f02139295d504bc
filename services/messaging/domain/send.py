"""Sends: one message to many, now or at a time, and what became of it (LS-60, LS-63)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from services.messaging.domain.audience import Audience
from services.messaging.domain.chain import ChainId
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.offer import OfferId
from services.messaging.domain.schedule import ScheduledWords

SendId = NewType("SendId", UUID)

# Why a delivery ended that its owner stopped.
STOPPED_REASON = "send_stopped"


class SendState(StrEnum):
    """Where a send is. DONE is not kept: it is a SENDING one of which nothing waits any more."""

    SCHEDULED = "SCHEDULED"
    SENDING = "SENDING"
    DONE = "DONE"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message to many."""

    chain_id: ChainId
    id: SendId
    sequence: int
    # None: words only.
    offer_id: OfferId | None
    words: ScheduledWords
    # For those who read English; where a text is empty, they read `words`.
    english: ScheduledWords
    audience: Audience
    state: SendState
    send_at: datetime
    created_at: datetime
    chosen: int

    @property
    def kind(self) -> MessageKind:
        """What its deliveries are."""
        return MessageKind.OFFER if self.offer_id else MessageKind.ANNOUNCEMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReport:
    """What became of a send, each of the chosen once; `taken` and `used` are of its offer.

    Blocked are those who had no address or had not agreed when their turn came.
    """

    chosen: int = 0
    queued: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    blocked: int = 0
    unknown: int = 0
    taken: int = 0
    used: int = 0
    stopped: int = 0

    @property
    def accounted_for(self) -> int:
        """Of how many it is told what became of them, or that they wait."""
        return (
            self.queued
            + self.sent
            + self.delivered
            + self.failed
            + self.blocked
            + self.unknown
            + self.stopped
        )
