"""News of a member that a service message may follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.delivery import MessageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that a member is to be told. `key` names its cause: told once."""

    chain_id: ChainId
    member_id: MemberId
    kind: MessageKind
    key: str
    # What the words need, as text.
    params: Mapping[str, str]
    # Business time of the chain.
    occurred_at: datetime
    # Business time after which it is no news any more.
    expires_at: datetime
