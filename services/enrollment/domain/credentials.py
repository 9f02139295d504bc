"""Bearer tokens: which kinds there are, how an API key is written, and how long a session lasts."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.enrollment.domain.chains import Language
from services.enrollment.domain.errors import ScopesInvalid
from services.enrollment.domain.ids import (
    Actor,
    ApiKeyId,
    ChainId,
    ProgramId,
    SalonId,
    TabletId,
)
from services.enrollment.domain.staff import Role

# She stays signed in on her phone; browsers keep no cookie longer than 400 days (RFC 6265bis).
MEMBER_SESSION_LIFETIME = timedelta(days=400)
# How seldom a member's visit is written down: it moves the end of her session.
MEMBER_SEEN_EVERY = timedelta(days=1)
STAFF_SESSION_IDLE = timedelta(hours=12)
STAFF_SESSION_LIFETIME = timedelta(days=7)
STAFF_SEEN_EVERY = timedelta(minutes=5)
KEY_USED_EVERY = timedelta(minutes=1)

# More keys than tills that a chain could connect; a leak of the panel cannot fill the table.
API_KEYS_MAX = 200
TABLETS_MAX = 5_000
# Longer than any token that we make; a longer text is not looked at.
TOKEN_LENGTH_MAX = 200

SCOPES = (
    "LOYALTY_READ",
    "LOYALTY_WRITE",
    "CUSTOMERS_READ",
    "CUSTOMERS_WRITE",
    "ORDERS_READ",
    "ORDERS_WRITE",
    "ITEMS_READ",
    "ITEMS_WRITE",
    "MERCHANT_PROFILE_READ",
    # The owner's own: codes in clear, staff, devices, keys.
    "MERCHANT_PROFILE_WRITE",
)

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_ID_LENGTH = 10
KEY_SECRET_LENGTH = 32
KEY_CHECKSUM_LENGTH = 6
_KEY_FORM = re.compile(
    rf"mk_(?:test|live)_[0-9A-Za-z]{{{KEY_ID_LENGTH}}}"
    rf"_[0-9A-Za-z]{{{KEY_SECRET_LENGTH + KEY_CHECKSUM_LENGTH}}}",
    re.ASCII,
)


class TokenKind(Enum):
    """What a token opens; its prefix says so."""

    MEMBER = "mm"
    STAFF = "ms"
    TABLET = "mt"
    API_KEY = "mk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tablet:
    """A registered device that speaks for one salon and one program."""

    id: TabletId
    chain_id: ChainId
    salon_id: SalonId
    program_id: ProgramId
    name: str
    active: bool
    link_token: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What a till shows of itself: scopes, and the salons that it may speak for (empty = all)."""

    id: ApiKeyId
    chain_id: ChainId
    name: str
    hint: str
    scopes: tuple[str, ...]
    salon_ids: tuple[SalonId, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is calling, for which chain, and what they have proven."""

    actor: Actor
    chain_id: ChainId
    session_id: str
    chain_slug: str
    sandbox: bool
    language: Language
    verified: bool = False
    role: Role | None = None
    scopes: tuple[str, ...] = ()
    salon_ids: tuple[SalonId, ...] = ()
    program_id: ProgramId | None = None


def _checksum(text: str) -> str:
    """CRC-32 in base 62: tells a mistyped or cut key from one that was revoked."""
    rest, out = zlib.crc32(text.encode()), ""
    for _ in range(KEY_CHECKSUM_LENGTH):
        rest, place = divmod(rest, len(BASE62))
        out = BASE62[place] + out
    return out


def write_api_key(*, sandbox: bool, key_id: str, secret: str) -> str:
    """An API key as a till holds it: kind, environment, id, secret and checksum.

    The fixed beginning and the checksum let scanners of source code find a leaked key.
    """
    stem = f"mk_{'test' if sandbox else 'live'}_{key_id}_{secret}"
    return stem + _checksum(stem)


def api_key_hint(token: str) -> str:
    """As much of a key as its owner needs to recognise it in a list; nothing of the secret."""
    return token.rpartition("_")[0]


def kind_of(token: str) -> TokenKind | None:
    """What a token claims to open, or None for what we cannot have made."""
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    prefix = token.partition("_")[0]
    kind = next((kind for kind in TokenKind if kind.value == prefix), None)
    if kind is TokenKind.API_KEY:
        stem, checksum = token[:-KEY_CHECKSUM_LENGTH], token[-KEY_CHECKSUM_LENGTH:]
        if _KEY_FORM.fullmatch(token) is None or _checksum(stem) != checksum:
            return None
    return kind


def read_scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes of a key, each once, in a fixed order. Refuses with `ScopesInvalid`."""
    wanted = set(scopes)
    if not wanted or not wanted.issubset(SCOPES):
        raise ScopesInvalid(field="scopes")
    return tuple(scope for scope in SCOPES if scope in wanted)


def staff_session_end(*, created_at: datetime, seen_at: datetime) -> datetime:
    """When a staff session ends: after twelve idle hours, and after seven days in any case."""
    return min(seen_at + STAFF_SESSION_IDLE, created_at + STAFF_SESSION_LIFETIME)
