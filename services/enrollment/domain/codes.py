"""One-time codes: six digits that prove that an address is hers (D34)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.enrollment.domain.ids import ChallengeId, MemberId
from services.enrollment.domain.members import Channel

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=10)
# Five tries at a million codes.
TRIES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A code that was asked for. Without a member it can never be met (unknown address)."""

    id: ChallengeId
    member_id: MemberId | None
    channel: Channel
    address: str
    code_digest: bytes
    expires_at: datetime
    # The address is not the member's yet: the right code makes it hers.
    adds_address: bool = False


def write_code(number: int) -> str:
    """The code with this number, with its zeros in front."""
    return str(number).zfill(CODE_DIGITS)


def code_digest(code: str, *, challenge_id: ChallengeId, key: bytes) -> bytes:
    """What is stored of a code. Without the key a million guesses would read it back."""
    return hmac.digest(key, challenge_id.bytes + code.encode(), hashlib.sha256)


def is_right(code: str, challenge: Challenge, *, key: bytes) -> bool:
    """Whether this is the code of the challenge; in constant time. Spaces are forgiven."""
    typed = "".join(code.split())
    if len(typed) != CODE_DIGITS or not (typed.isascii() and typed.isdigit()):
        typed = "wrong!"
    digest = code_digest(typed, challenge_id=challenge.id, key=key)
    return hmac.compare_digest(digest, challenge.code_digest) and challenge.member_id is not None


def mask(address: str, *, channel: Channel) -> str:
    """An address as it may be shown to somebody who has not proven that it is theirs."""
    if channel is Channel.SMS:
        return f"•••• {address[-4:]}"
    local, _, domain = address.partition("@")
    return f"{local[:1]}•••@{domain}"
