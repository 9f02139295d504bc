"""French as it is set in Quebec; the one place that knows its signs.

Words stand in the code as a keyboard writes them: straight apostrophes, no space before a colon.
Pages and the API say them set: a typographic apostrophe, an unbreakable space before a colon and
inside of guillemets, none before ; ! and ?. A text message does not: there these signs would make
two messages of one (GSM-7).
"""

from __future__ import annotations

import functools
import re
from typing import Final

NO_BREAK: Final = "\N{NO-BREAK SPACE}"
APOSTROPHE: Final = "\N{RIGHT SINGLE QUOTATION MARK}"
# More than there are words of ours.
KEPT_MAX: Final = 8192
_SPACES = "[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]"
_RULES: Final = (
    # After a letter, and not as a quotation mark around a word.
    (re.compile(r"(?<=[^\W\d_])'(?=[\w%{«])"), APOSTROPHE),
    # A colon of the words, not that of an hour or an address.
    (re.compile(rf"(?<=\S){_SPACES}*:(?=\s|$)"), f"{NO_BREAK}:"),
    (re.compile(rf"(?<=\S){_SPACES}+(?=[;!?](?:\s|$))"), ""),
    (re.compile(rf"«{_SPACES}*(?=\S)"), f"«{NO_BREAK}"),
    (re.compile(rf"(?<=\S){_SPACES}*»"), f"{NO_BREAK}»"),
)
_STRAIGHT: Final = str.maketrans({NO_BREAK: " ", "\N{NARROW NO-BREAK SPACE}": " ", APOSTROPHE: "'"})


@functools.lru_cache(maxsize=KEPT_MAX)
def french(words: str) -> str:
    """French words as pages and the API say them."""
    for found, instead in _RULES:
        words = found.sub(instead, words)
    return words


def straight(words: str) -> str:
    """The same for a text message."""
    return words.translate(_STRAIGHT)
