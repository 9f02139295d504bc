"""Text-to-join: a chain's own number and the keyword that asks for its sign-up link (LS-18..21)."""

from __future__ import annotations

import struct
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.messaging.domain import keywords
from services.messaging.domain.chain import Chain, ChainId, Plan
from services.messaging.domain.errors import KeywordInvalid, KeywordReserved, ProRequired
from services.messaging.domain.keywords import Keyword

GIVEN_KEYWORD = "JOIGNEZ"
GIVEN_KEYWORD_EN = "JOIN"
# More posters than these nobody has hanging.
FORMER_KEYWORDS_MAX = 10
KEYWORD_LENGTH_MIN = 2
KEYWORD_LENGTH_MAX = 30
# She opens the link from the text that she has just asked for; later it works without the phone.
JOIN_LINK_AGE_MAX = timedelta(hours=1)
# 555-01xx is never given out: 0100 is the shared number of stories, 0101 to 0199 are theirs.
_STORY_NUMBERS = 99


class NumberActKind(StrEnum):
    """What was done with a chain's number."""

    GIVEN = "GIVEN"
    RELEASED = "RELEASED"
    KEYWORD = "KEYWORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it: the role, and the id of an operator, a staff member or a key; never a name."""

    kind: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberAct:
    """One line of a number's history."""

    chain_id: ChainId
    kind: NumberActKind
    number: str
    keyword: str
    actor: Actor
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainNumber:
    """The dedicated number of a chain, with the keyword that it answers."""

    chain_id: ChainId
    # E.164.
    number: str
    keyword: str
    sandbox: bool
    provisioned_at: datetime
    # What it answered before: posters outlive a change.
    former_keywords: tuple[str, ...] = ()

    def asks_to_join(self, text: str) -> bool:
        """Whether a text is a keyword, in any case, with or without accents and signs (LS-20).

        The given keyword is understood in both languages.
        """
        known = {folded(one) for one in (self.keyword, *self.former_keywords)}
        if folded(GIVEN_KEYWORD) in known:
            known.add(folded(GIVEN_KEYWORD_EN))
        return folded(text) in known


def folded(text: str) -> str:
    """Letters and digits of a text, in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in decomposed if sign.isalnum()).casefold()


def checked_keyword(text: str) -> str:
    """A keyword as it is shown; JOIGNEZ where none is said.

    Refuses with KeywordInvalid what is no single word, and with KeywordReserved what already
    means STOP, YES or HELP.
    """
    keyword = text.strip() or GIVEN_KEYWORD
    letters = folded(keyword)
    if not (
        len(keyword) <= KEYWORD_LENGTH_MAX
        and len(letters) >= KEYWORD_LENGTH_MIN
        and keyword.isprintable()
        and len(keyword.split()) == 1
    ):
        raise KeywordInvalid(
            params={"length_min": str(KEYWORD_LENGTH_MIN), "length_max": str(KEYWORD_LENGTH_MAX)}
        )
    if keywords.understood(keyword) is not Keyword.NONE:
        raise KeywordReserved
    return keyword


def has_own_number(chain: Chain) -> bool:
    """Whether the plan has text-to-join (LS-18)."""
    return chain.plan is Plan.PRO


def require_own_number(chain: Chain) -> None:
    """Refuse with ProRequired below Pro (examples P1)."""
    if not has_own_number(chain):
        raise ProRequired


def story_number(chain_id: ChainId) -> str:
    """The number that a sandbox chain is given at once."""
    return f"+1514555{101 + chain_id.int % _STORY_NUMBERS:04d}"


def phone_payload(phone: str, *, expires_at: datetime) -> bytes:
    """What a sign-up link seals: its end in seconds (4 bytes, big-endian), then the phone."""
    return struct.pack(">I", int(expires_at.astimezone(UTC).timestamp())) + phone.encode("ascii")
