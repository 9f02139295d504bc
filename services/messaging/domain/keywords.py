"""What a text means: STOP, YES and HELP with their French sisters (D19, LS-79; api.md 4)."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

# These mean "write to me no more" wherever they stand in a text.
STOP_WORDS = frozenset(
    {"stop", "stopall", "unsubscribe", "arret", "desabonner", "arreter", "arretez"}
)
# These do so alone, or beside a YES. In a sentence ("Can I cancel my appointment?") they are
# everyday words.
STOP_WORDS_ALONE = frozenset({"cancel", "end", "quit"})
START_WORDS = frozenset({"start", "yes", "oui", "unstop"})
HELP_WORDS = frozenset({"help", "aide", "info"})

# A word keeps its hyphens: "non-stop" is not a wish to be left alone.
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


class Keyword(StrEnum):
    """What was understood of a text."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    # The chain's own keyword on its own number (LS-20).
    JOIN = "join"
    NONE = "none"


def understood(text: str) -> Keyword:
    """The keyword in a text, whatever its case, accents, spaces and punctuation.

    STOP wins over everything. A YES counts as a whole word anywhere ("YES merci", not
    "yesterday"). HELP counts as the first word.
    """
    words = _words(text)
    if not words:
        return Keyword.NONE
    spoken = set(words)
    wants_start = not START_WORDS.isdisjoint(spoken)
    if not STOP_WORDS.isdisjoint(spoken):
        return Keyword.STOP
    if not STOP_WORDS_ALONE.isdisjoint(spoken) and (wants_start or len(words) == 1):
        return Keyword.STOP
    if wants_start:
        return Keyword.START
    return Keyword.HELP if words[0] in HELP_WORDS else Keyword.NONE


def _words(text: str) -> list[str]:
    """The words of a text in lower case without accents.

    Signs that are not seen (a phone's keyboard slips in zero-width ones) do not part a word.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(
        sign for sign in decomposed if unicodedata.category(sign) not in {"Mn", "Me", "Cf"}
    )
    return _WORD.findall(plain.casefold())
