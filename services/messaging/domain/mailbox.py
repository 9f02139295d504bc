"""What would have left a sandbox chain, as its owner reads it (api.md 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import DeliveryId, MessageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMessage:
    """An SMS or e-mail in a sandbox chain's mailbox."""

    id: DeliveryId
    channel: Channel
    recipient: str
    subject: str
    body: str
    kind: MessageKind
    created_at: datetime
